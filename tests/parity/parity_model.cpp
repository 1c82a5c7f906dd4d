// The Lintel half of parity.py: reads weights and a batch from one safetensors file, writes what a model makes of them
// to another.
//
//     parity_model INPUT OUTPUT
//
// The input's metadata names the task and the sizes. Its tensors are `weights.<parameter>` and `batch.<name>`, or for
// the optimisers `start.<parameter>` and `gradients.<step>.<parameter>`. The output holds `logits`, `loss` and
// `gradients.<parameter>`, or `result.<parameter>`.
#include <cstdio>
#include <lintel/autograd/tape.hpp>
#include <lintel/models/classifier.hpp>
#include <lintel/models/dual_encoder.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/nn/safetensors.hpp>
#include <map>

using namespace lintel;

namespace {

/// What the input file holds.
class Input {
 public:
  explicit Input(const std::string& path) : file_(read_safetensors(path)) {
    for (const auto& [name, tensor] : file_.tensors) by_name_[name] = tensor;
  }

  const std::string& text(const std::string& key) const { return file_.metadata.at(key); }
  std::int64_t number(const std::string& key) const { return std::stoll(text(key)); }
  double real(const std::string& key) const { return std::stod(text(key)); }
  const Tensor& tensor(const std::string& name) const { return by_name_.at(name); }
  Packed tokens() const { return {tensor("batch.ids"), tensor("batch.offsets")}; }

  /// The tensors whose names begin with `prefix`, under what follows it.
  std::vector<NamedTensor> below(const std::string& prefix) const {
    std::vector<NamedTensor> found;
    for (const auto& [name, tensor] : file_.tensors) {
      if (name.starts_with(prefix)) found.push_back({name.substr(prefix.size()), tensor});
    }
    return found;
  }

 private:
  Safetensors file_;
  std::map<std::string, Tensor> by_name_;
};

nn::AttentionConfig attention_of(const Input& input) {
  if (input.text("attention") == "softmax") return nn::SoftmaxAttentionConfig{};
  return nn::KernelAttentionConfig{.feature_map = input.text("feature_map"),
                                   .layers = static_cast<int>(input.number("layers")),
                                   .bias = input.number("bias") != 0};
}

/// Sets the weights of `model`, computes `logits_and_loss(model)` and lists it with the gradients of the loss.
template <class Model, class Function>
std::vector<NamedTensor> run_model(const Input& input, Model model, Function logits_and_loss) {
  copy_by_name(input.below("weights."), nn::named_parameters(model), "parity");
  Tape tape(model);
  const auto [logits, loss] = logits_and_loss(model);
  const Gradients gradients = tape.gradients(loss);
  std::vector<NamedTensor> output = {{"logits", logits}, {"loss", loss}};
  for (const auto& [name, parameter] : nn::named_parameters(model)) {
    output.push_back({"gradients." + name, gradients[parameter]});
  }
  return output;
}

/// The config of a model of texts, as the input describes it.
template <class Config>
Config config_of(const Input& input) {
  Config config;
  config.vocab = input.number("vocab");
  config.max_length = input.number("max_length");
  config.hidden = input.number("hidden");
  config.mlp = input.number("mlp");
  config.heads = input.number("heads");
  config.blocks = input.number("blocks");
  config.attention = attention_of(input);
  return config;
}

std::vector<NamedTensor> run_classifier(const Input& input) {
  Rng rng(1);
  auto config = config_of<models::ClassifierConfig>(input);
  config.classes = input.number("classes");
  config.pooling = input.text("pooling");
  const models::Classifier model(config, rng);
  return run_model(input, model, [&](const models::Classifier& classifier) {
    const Tensor logits = classifier(input.tokens());
    return std::pair{logits, nn::cross_entropy(logits, input.tensor("batch.labels"))};
  });
}

/// The sequences of a batch from the last to the first.
Packed reversed(const Packed& tokens) {
  const auto ids = tokens.ids.values<std::int64_t>(), offsets = tokens.offsets.values<std::int64_t>();
  std::vector<std::vector<std::int64_t>> sequences;
  for (std::size_t i = offsets.size() - 1; i > 0; --i) {
    sequences.emplace_back(ids.begin() + offsets[i - 1], ids.begin() + offsets[i]);
  }
  return pack(sequences);
}

std::vector<NamedTensor> run_dual_encoder(const Input& input) {
  Rng rng(1);
  auto config = config_of<models::DualEncoderConfig>(input);
  config.classes = input.number("classes");
  config.interaction = input.text("interaction");
  const models::DualEncoder model(config, rng);
  return run_model(input, model, [&](const models::DualEncoder& dual_encoder) {
    const Tensor logits = dual_encoder(input.tokens(), reversed(input.tokens()));
    return std::pair{logits, nn::cross_entropy(logits, input.tensor("batch.labels"))};
  });
}

std::vector<NamedTensor> run_language_model(const Input& input) {
  Rng rng(1);
  const models::LanguageModel model(config_of<models::LanguageModelConfig>(input), rng);
  return run_model(input, model, [&](const models::LanguageModel& language_model) {
    return std::pair{language_model(input.tokens()), language_model.loss(input.tokens())};
  });
}

template <class Optimiser>
std::vector<NamedTensor> run_steps(const Input& input, const std::vector<NamedTensor>& parameters,
                                   Optimiser optimiser) {
  for (std::int64_t step = 0; step < input.number("steps"); ++step) {
    Gradients gradients;
    for (const auto& [name, parameter] : parameters) {
      gradients.set(parameter, input.tensor("gradients." + std::to_string(step) + "." + name));
    }
    optimiser.step(gradients, input.real("learning_rate"));
  }
  std::vector<NamedTensor> output;
  for (const auto& [name, parameter] : parameters) output.push_back({"result." + name, parameter});
  return output;
}

std::vector<NamedTensor> run(const Input& input) {
  const std::string& task = input.text("task");
  if (task == "classifier") return run_classifier(input);
  if (task == "dual_encoder") return run_dual_encoder(input);
  if (task == "language_model") return run_language_model(input);
  const std::vector<NamedTensor> parameters = input.below("start.");
  const double weight_decay = input.real("weight_decay");
  if (task == "adamw") return run_steps(input, parameters, nn::AdamW(parameters, {.weight_decay = weight_decay}));
  const nn::SgdOptions options{.momentum = input.real("momentum"), .weight_decay = weight_decay};
  return run_steps(input, parameters, nn::SGD(parameters, options));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: parity_model INPUT OUTPUT\n");
    return 2;
  }
  try {
    write_safetensors(arguments[2], run(Input(arguments[1])));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "parity_model: %s\n", error.what());
    return 2;
  }
  return 0;
}
