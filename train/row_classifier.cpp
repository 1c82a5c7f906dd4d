#include <lintel/train/row_classifier.hpp>

#include <lintel/core/error.hpp>
#include <lintel/train/dataset.hpp>

namespace lintel::train {

Tensor RowClassifier::operator()(const ClassifyData& data, const std::vector<std::int64_t>& rows,
                                 const std::optional<nn::Training>& training) const {
  const Packed texts = pack_rows(data.sequences, rows);
  if (const auto* const single = std::get_if<models::Classifier>(&model)) return (*single)(texts, training);
  if (data.second_sequences.empty()) fail("classify: the rows have one text, and the model compares two");
  return std::get<models::DualEncoder>(model)(texts, pack_rows(data.second_sequences, rows), training);
}

const models::SequenceEncoder& RowClassifier::encoder() const {
  return std::visit([](const auto& kind) -> const models::SequenceEncoder& { return kind.encoder; }, model);
}

Tensor RowClassifier::orthogonality_penalty() const {
  return std::visit([](const auto& kind) { return kind.orthogonality_penalty(); }, model);
}

}  // namespace lintel::train
