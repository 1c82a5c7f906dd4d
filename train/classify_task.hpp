// Learning to classify the rows of a table.
#pragma once

#include <lintel/train/batching.hpp>
#include <lintel/train/row_classifier.hpp>
#include <lintel/train/task.hpp>

namespace lintel::train {

/// An item is a row of the training data; batches are packed.
class ClassifyTask : public Task {
 public:
  /// `valid` may have no rows.
  ClassifyTask(const RunConfig& config, RowClassifier model, ClassifyData train, ClassifyData valid);

  std::vector<NamedTensor> parameters() const override { return nn::named_parameters(model_); }
  std::int64_t steps_per_epoch() const override { return schedule_.batches_per_epoch(); }
  Items items(std::int64_t step) override { return schedule_.batch(step); }
  Tensor loss(const Items& items, const nn::Training& training) const override;
  TokenCount count_tokens(const Items& items) const override;
  std::optional<Evaluation> evaluate() const override;
  std::string fingerprint() const override { return train_.fingerprint(); }

 private:
  RowClassifier model_;
  ClassifyData train_, valid_;
  BatchSchedule schedule_;
  double label_smoothing_, penalty_;
  std::int64_t max_length_;
};

}  // namespace lintel::train
