#include <lintel/train/seq2seq_task.hpp>

#include <algorithm>

#include <lintel/ops/elementwise.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/evaluate_pairs.hpp>

namespace lintel::train {
namespace {

std::int64_t length_of(const std::vector<std::int64_t>& ids) { return static_cast<std::int64_t>(ids.size()); }

}  // namespace

Seq2SeqTask::Seq2SeqTask(const RunConfig& config, models::EncoderDecoder model, PairData train, PairData valid)
    : model_(std::move(model)),
      train_(std::move(train)),
      valid_(std::move(valid)),
      schedule_(train_.lengths(), batch_options(config)),
      label_smoothing_(config.label_smoothing),
      penalty_(config.penalty),
      max_length_(config.max_length) {}

Tensor Seq2SeqTask::loss(const Items& items, const nn::Training& training) const {
  const Tensor loss =
      model_.loss(pack_rows(train_.sources, items), pack_rows(train_.targets, items), training, label_smoothing_);
  return penalty_ > 0 ? loss + penalty_ * model_.orthogonality_penalty() : loss;
}

std::int64_t Seq2SeqTask::count_targets(const Items& items) const {
  std::int64_t targets = 0;
  for (const std::int64_t row : items) targets += length_of(train_.targets[static_cast<std::size_t>(row)]) + 1;
  return targets;
}

TokenCount Seq2SeqTask::count_tokens(const Items& items) const {
  TokenCount count;
  std::int64_t longest_source = 0, longest_target = 0;
  for (const std::int64_t row : items) {
    const std::int64_t source = length_of(train_.sources[static_cast<std::size_t>(row)]);
    const std::int64_t target = length_of(train_.targets[static_cast<std::size_t>(row)]) + 1;
    count.real += source + target;
    longest_source = std::max(longest_source, source);
    longest_target = std::max(longest_target, target);
  }
  const std::int64_t rows = length_of(items);
  count.padded_to_longest = rows * (longest_source + longest_target);
  count.padded_to_limit = rows * (2 * max_length_ + 1);
  return count;
}

std::optional<Evaluation> Seq2SeqTask::evaluate() const {
  if (valid_.size() == 0) return std::nullopt;
  return evaluate_pairs(model_, valid_);
}

}  // namespace lintel::train
