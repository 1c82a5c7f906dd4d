#include <lintel/train/language_task.hpp>

#include <algorithm>

#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/sequences.hpp>
#include <lintel/train/batching.hpp>
#include <lintel/train/evaluate.hpp>
#include <lintel/train/fingerprint.hpp>

namespace lintel::train {

LanguageTask::LanguageTask(const RunConfig& config, models::LanguageModel model, TextData data)
    : model_(std::move(model)),
      data_(std::move(data)),
      seed_(config.seed),
      length_(std::min(config.max_length, static_cast<std::int64_t>(data_.train.size()))),
      batch_(config.batch_tokens > 0 ? std::max<std::int64_t>(1, config.batch_tokens / length_) : config.batch),
      penalty_(config.penalty) {}

std::int64_t LanguageTask::steps_per_epoch() const {
  const std::int64_t targets = batch_ * (length_ - 1);
  return (static_cast<std::int64_t>(data_.train.size()) - 1 + targets - 1) / targets;
}

Task::Items LanguageTask::items(std::int64_t step) {
  return random_pieces(static_cast<std::int64_t>(data_.train.size()), length_, batch_, seed_, step);
}

Tensor LanguageTask::loss(const Items& items, const nn::Training& training) const {
  const std::string_view text = data_.train;
  std::vector<std::vector<std::int64_t>> pieces;
  for (const std::int64_t begin : items) {
    pieces.push_back(
        tokeniser_.encode(text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(length_))));
  }
  const Tensor loss = model_.loss(pack(pieces), training);
  return penalty_ > 0 ? loss + penalty_ * model_.orthogonality_penalty() : loss;
}

TokenCount LanguageTask::count_tokens(const Items& items) const {
  const std::int64_t tokens = length_ * static_cast<std::int64_t>(items.size());
  return {tokens, tokens, tokens};
}

std::optional<Evaluation> LanguageTask::evaluate() const {
  if (data_.valid.empty()) return std::nullopt;
  return evaluate_language_model(model_, tokeniser_, data_.valid, length_);
}

std::string LanguageTask::fingerprint() const {
  Fingerprint fingerprint;
  fingerprint.add(data_.train);
  return fingerprint.hex();
}

}  // namespace lintel::train
