#include <lintel/train/evaluate.hpp>

#include <algorithm>
#include <cmath>

#include <lintel/core/error.hpp>
#include <lintel/ops/sequences.hpp>
#include <lintel/ops/softmax.hpp>
#include <lintel/train/batching.hpp>

namespace lintel::train {
namespace {

// Calls `take(i, row)` with the log-probabilities of the classes of row i, for every i.
template <class Take>
void for_each_log_probability(const RowClassifier& model, const ClassifyData& data, Take&& take) {
  for (const auto& rows : evaluation_batches(data.lengths(), 1, evaluation_tokens)) {
    const Tensor result = log_softmax(model(data, rows));  // (rows, classes)
    const std::size_t classes = static_cast<std::size_t>(result.size(1));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      take(static_cast<std::size_t>(rows[i]), result.values<float>().subspan(i * classes, classes));
    }
  }
}

}  // namespace

std::vector<std::vector<double>> class_probabilities(const RowClassifier& model, const ClassifyData& data) {
  std::vector<std::vector<double>> probabilities(data.sequences.size());
  for_each_log_probability(model, data, [&](std::size_t i, std::span<const float> log_probability) {
    for (const float value : log_probability) probabilities[i].push_back(std::exp(static_cast<double>(value)));
  });
  return probabilities;
}

Evaluation evaluate_classifier(const RowClassifier& model, const ClassifyData& data) {
  if (data.size() == 0) fail("evaluate: there are no rows");
  double loss = 0;
  std::int64_t right = 0;
  for_each_log_probability(model, data, [&](std::size_t i, std::span<const float> log_probability) {
    const auto label = static_cast<std::size_t>(data.labels[i]);
    loss -= static_cast<double>(log_probability[label]);
    const auto best = std::max_element(log_probability.begin(), log_probability.end());
    right += best - log_probability.begin() == static_cast<std::ptrdiff_t>(label) ? 1 : 0;
  });
  const auto rows = static_cast<double>(data.size());
  return {loss / rows, static_cast<double>(right) / rows, data.size()};
}

Evaluation evaluate_language_model(const models::LanguageModel& model, const Tokeniser& tokeniser,
                                   std::string_view text, std::int64_t length) {
  const std::vector<std::int64_t> tokens = tokeniser.encode(text);
  const auto count = static_cast<std::int64_t>(tokens.size());
  if (count < 2) fail("evaluate: the text is too short: nothing follows its first token");
  const std::int64_t pieces_at_once = std::max<std::int64_t>(1, evaluation_tokens / length);
  double loss = 0;
  for (std::int64_t begin = 0; begin < count - 1;) {
    std::vector<std::vector<std::int64_t>> pieces;
    std::int64_t targets = 0;
    while (begin < count - 1 && static_cast<std::int64_t>(pieces.size()) < pieces_at_once) {
      const std::int64_t end = std::min(begin + length, count);
      pieces.emplace_back(tokens.begin() + begin, tokens.begin() + end);
      targets += end - begin - 1;
      begin = end - 1;
    }
    loss += model.loss(pack(pieces)).item() * static_cast<double>(targets);
  }
  return {loss / static_cast<double>(count - 1), std::nullopt, count - 1};
}

}  // namespace lintel::train
