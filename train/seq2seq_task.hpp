// Learning to write a target for each source.
#pragma once

#include <lintel/models/encoder_decoder.hpp>
#include <lintel/train/batching.hpp>
#include <lintel/train/task.hpp>
#include <lintel/train/text_pairs.hpp>

namespace lintel::train {

/// An item is a pair of the training data; both sides of a batch are packed.
class Seq2SeqTask : public Task {
 public:
  /// `valid` may have no pairs.
  Seq2SeqTask(const RunConfig& config, models::EncoderDecoder model, PairData train, PairData valid);

  std::vector<NamedTensor> parameters() const override { return nn::named_parameters(model_); }
  std::int64_t steps_per_epoch() const override { return schedule_.batches_per_epoch(); }
  Items items(std::int64_t step) override { return schedule_.batch(step); }
  Tensor loss(const Items& items, const nn::Training& training) const override;
  std::int64_t count_targets(const Items& items) const override;
  TokenCount count_tokens(const Items& items) const override;
  std::optional<Evaluation> evaluate() const override;
  std::string fingerprint() const override { return train_.fingerprint(); }

 private:
  models::EncoderDecoder model_;
  PairData train_, valid_;
  BatchSchedule schedule_;
  double label_smoothing_, penalty_;
  std::int64_t max_length_;
};

}  // namespace lintel::train
