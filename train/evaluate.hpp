// How good a model is, and what it says of single inputs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <lintel/models/language_model.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/row_classifier.hpp>
#include <lintel/train/task.hpp>
#include <lintel/train/tokeniser.hpp>

namespace lintel::train {

/// The tokens that go through a model at once: enough to keep every core busy, little enough to stay in the caches.
inline constexpr std::int64_t evaluation_tokens = 8192;

/// The probability of every class for each row of `data`, in their order.
std::vector<std::vector<double>> class_probabilities(const RowClassifier& model, const ClassifyData& data);

/// Mean cross entropy and accuracy on `data`, which has labels and at least one row.
Evaluation evaluate_classifier(const RowClassifier& model, const ClassifyData& data);

/// Mean cross entropy per token of `text`, cut into pieces of at most `length` tokens (two or more). A piece begins
/// with the last token of the one before it, so that every token but the first is predicted once. Throws `Error` if
/// nothing follows the first token.
Evaluation evaluate_language_model(const models::LanguageModel& model, const Tokeniser& tokeniser,
                                   std::string_view text, std::int64_t length);

}  // namespace lintel::train
