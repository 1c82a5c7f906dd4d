// Learning to predict the next byte of a text.
#pragma once

#include <lintel/models/language_model.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/task.hpp>

namespace lintel::train {

/// An item is the place in the training text where a piece of `max_length` bytes begins.
class LanguageTask : public Task {
 public:
  /// `data.valid` may be empty.
  LanguageTask(const RunConfig& config, models::LanguageModel model, TextData data);

  std::vector<NamedTensor> parameters() const override { return nn::named_parameters(model_); }
  std::int64_t steps_per_epoch() const override;
  Items items(std::int64_t step) override;
  Tensor loss(const Items& items, const nn::Training& training) const override;
  TokenCount count_tokens(const Items& items) const override;
  std::optional<Evaluation> evaluate() const override;
  std::string fingerprint() const override;

 private:
  models::LanguageModel model_;
  Tokeniser tokeniser_ = Tokeniser::bytes();
  TextData data_;
  std::uint64_t seed_;
  std::int64_t length_;  // bytes of a piece
  std::int64_t batch_;   // pieces of a step
  double penalty_;
};

}  // namespace lintel::train
