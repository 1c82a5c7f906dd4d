// What sorts the rows of a table into classes, by one text of a row or by two.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include <lintel/models/classifier.hpp>
#include <lintel/models/dual_encoder.hpp>
#include <lintel/train/dataset.hpp>

namespace lintel::train {

/// The model of the task "classify" or "match".
struct RowClassifier {
  std::variant<models::Classifier, models::DualEncoder> model;

  /// Logits (rows, classes) of some rows of `data`, which has second texts where the model reads pairs.
  Tensor operator()(const ClassifyData& data, const std::vector<std::int64_t>& rows,
                    const std::optional<nn::Training>& training = std::nullopt) const;

  /// What reads a text.
  const models::SequenceEncoder& encoder() const;

  /// As in `models::Classifier`.
  Tensor orthogonality_penalty() const;

  /// The names are the model's own.
  static void visit(auto& self, auto&& f) {
    std::visit([&](auto& model) { std::remove_cvref_t<decltype(model)>::visit(model, f); }, self.model);
  }
};

}  // namespace lintel::train
