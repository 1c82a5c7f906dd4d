#include <lintel/train/task.hpp>

#include <nlohmann/json.hpp>

#include <lintel/train/number_text.hpp>

namespace lintel::train {

bool Evaluation::better_than(const Evaluation& other) const {
  if (accuracy != other.accuracy) return accuracy > other.accuracy;
  return loss < other.loss;
}

std::string text_of(const Evaluation& evaluation) {
  std::string text = "loss " + fixed_text(evaluation.loss, 4);
  if (evaluation.accuracy) text += ", accuracy " + percent_text(*evaluation.accuracy);
  return text;
}

nlohmann::ordered_json to_json(const Evaluation& evaluation) {
  nlohmann::ordered_json json = {{"loss", evaluation.loss}};
  if (evaluation.accuracy) json["accuracy"] = *evaluation.accuracy;
  json["targets"] = evaluation.targets;
  return json;
}

Evaluation evaluation_of_json(const nlohmann::ordered_json& json) {
  Evaluation evaluation;
  evaluation.loss = json.at("loss").get<double>();
  if (json.contains("accuracy")) evaluation.accuracy = json["accuracy"].get<double>();
  evaluation.targets = json.at("targets").get<std::int64_t>();
  return evaluation;
}

TokenCount& TokenCount::operator+=(const TokenCount& other) {
  real += other.real;
  padded_to_longest += other.padded_to_longest;
  padded_to_limit += other.padded_to_limit;
  return *this;
}

}  // namespace lintel::train
