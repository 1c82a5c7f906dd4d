// How good an encoder–decoder model is, and what it writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lintel/models/encoder_decoder.hpp>
#include <lintel/train/task.hpp>
#include <lintel/train/text_pairs.hpp>

namespace lintel::train {

/// Mean cross-entropy of a token of the targets of `data`, boundaries included; there must be a pair.
Evaluation evaluate_pairs(const models::EncoderDecoder& model, const PairData& data);

/// The tokens that the model writes for each of `sources`, greedily, at most `max_length` and none of them padding or
/// an unknown word. `tokeniser` is that of the targets.
std::vector<std::vector<std::int64_t>> write_targets(const models::EncoderDecoder& model, const Tokeniser& tokeniser,
                                                     const std::vector<std::vector<std::int64_t>>& sources,
                                                     std::int64_t max_length);

/// How many sources are answered exactly. Rows with the same source are one source, and any of their targets is right.
struct ExactMatches {
  std::int64_t right = 0, sources = 0;

  double share() const { return static_cast<double>(right) / static_cast<double>(sources); }
};

/// Compares what was `written` for each of `rows`, as many, with the tokens of their targets.
ExactMatches count_exact_matches(const std::vector<TextRow>& rows,
                                 const std::vector<std::vector<std::int64_t>>& written, const Tokeniser& tokeniser);

}  // namespace lintel::train
