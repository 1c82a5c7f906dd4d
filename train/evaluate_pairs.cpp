#include <lintel/train/evaluate_pairs.hpp>

#include <map>

#include <lintel/core/error.hpp>
#include <lintel/train/batching.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/evaluate.hpp>

namespace lintel::train {

Evaluation evaluate_pairs(const models::EncoderDecoder& model, const PairData& data) {
  if (data.size() == 0) fail("evaluate: there are no pairs");
  double loss = 0;
  std::int64_t targets = 0;
  for (const auto& rows : evaluation_batches(data.lengths(), 1, evaluation_tokens)) {
    const Packed target = pack_rows(data.targets, rows);
    const std::int64_t predicted = target.ids.size() + static_cast<std::int64_t>(rows.size());
    loss += model.loss(pack_rows(data.sources, rows), target).item() * static_cast<double>(predicted);
    targets += predicted;
  }
  return {loss / static_cast<double>(targets), std::nullopt, targets};
}

std::vector<std::vector<std::int64_t>> write_targets(const models::EncoderDecoder& model, const Tokeniser& tokeniser,
                                                     const std::vector<std::vector<std::int64_t>>& sources,
                                                     std::int64_t max_length) {
  models::GreedyOptions options{.max_tokens = max_length};
  if (!tokeniser.is_bytes()) options.never = {Tokeniser::padding_id, Tokeniser::unknown_id};
  std::vector<std::vector<std::int64_t>> written(sources.size());
  for (const auto& rows : evaluation_batches(lengths_of(sources), 1, evaluation_tokens)) {
    auto targets = model.greedy(pack_rows(sources, rows), options);
    for (std::size_t i = 0; i < rows.size(); ++i) written[static_cast<std::size_t>(rows[i])] = std::move(targets[i]);
  }
  return written;
}

ExactMatches count_exact_matches(const std::vector<TextRow>& rows,
                                 const std::vector<std::vector<std::int64_t>>& written, const Tokeniser& tokeniser) {
  std::map<std::string, bool> is_right;  // of each source
  for (std::size_t i = 0; i < rows.size(); ++i) {
    bool& right = is_right[rows[i].text];
    right = right || tokeniser.encode(rows[i].label) == written[i];
  }
  ExactMatches matches{0, static_cast<std::int64_t>(is_right.size())};
  for (const auto& [source, right] : is_right) matches.right += right ? 1 : 0;
  return matches;
}

}  // namespace lintel::train
