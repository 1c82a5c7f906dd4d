#include <lintel/train/classify_task.hpp>

#include <algorithm>

#include <lintel/nn/loss.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/train/evaluate.hpp>

namespace lintel::train {

ClassifyTask::ClassifyTask(const RunConfig& config, RowClassifier model, ClassifyData train, ClassifyData valid)
    : model_(std::move(model)),
      train_(std::move(train)),
      valid_(std::move(valid)),
      schedule_(train_.lengths(), batch_options(config)),
      label_smoothing_(config.label_smoothing),
      penalty_(config.penalty),
      max_length_(config.max_length) {}

Tensor ClassifyTask::loss(const Items& items, const nn::Training& training) const {
  std::vector<std::int64_t> classes;
  for (const std::int64_t row : items) classes.push_back(train_.labels[static_cast<std::size_t>(row)]);
  const Tensor logits = model_(train_, items, training);  // (rows, classes)
  const Tensor labels(Shape{static_cast<std::int64_t>(items.size())}, classes);
  const Tensor loss = nn::cross_entropy(logits, labels, {.label_smoothing = label_smoothing_});
  return penalty_ > 0 ? loss + penalty_ * model_.orthogonality_penalty() : loss;
}

TokenCount ClassifyTask::count_tokens(const Items& items) const {
  TokenCount count;
  std::int64_t longest = 0, texts = 0;
  for (const auto* const sequences : {&train_.sequences, &train_.second_sequences}) {
    if (sequences->empty()) continue;
    for (const std::int64_t row : items) {
      const auto length = static_cast<std::int64_t>((*sequences)[static_cast<std::size_t>(row)].size());
      count.real += length;
      longest = std::max(longest, length);
      ++texts;
    }
  }
  count.padded_to_longest = longest * texts;
  count.padded_to_limit = max_length_ * texts;
  return count;
}

std::optional<Evaluation> ClassifyTask::evaluate() const {
  if (valid_.size() == 0) return std::nullopt;
  return evaluate_classifier(model_, valid_);
}

}  // namespace lintel::train
