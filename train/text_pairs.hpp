// Pairs of texts, a source and the target that a model shall write for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lintel/train/run_config.hpp>
#include <lintel/train/run_folder.hpp>
#include <lintel/train/text_table.hpp>

namespace lintel::train {

/// Where pairs stand: in two columns of a table, or in two files of which line n of the one belongs to line n of the
/// other.
struct PairFiles {
  std::string table = {}, source = {}, target = {};

  bool given() const { return !table.empty() || !source.empty() || !target.empty(); }
  /// How messages call them.
  const std::string& name() const { return table.empty() ? source : table; }
};

/// Throws `Error`, beginning with `prefix`, unless there is a table, or a source and a target, but not both.
void check_pair_files(const PairFiles& files, const std::string& prefix);

/// A row for each pair, whose text is the source and whose label is the target; a table is read as `config` says.
/// Throws `Error` as `read_text_table` does, and for two files of different lengths.
std::vector<TextRow> read_text_pairs(const PairFiles& files, const RunConfig& config);

/// The training pairs of `config`, and those held out for validation.
struct SplitPairs {
  std::vector<TextRow> train, valid;
};
SplitPairs read_split_pairs(const RunConfig& config);

/// The tokenisers that `config` names, word tokenisers with the vocabularies of `rows`.
RunVocabulary build_pair_vocabulary(const RunConfig& config, const std::vector<TextRow>& rows);

/// Pairs as ids; sources, targets and rows correspond.
struct PairData {
  std::vector<std::vector<std::int64_t>> sources;  ///< none is empty
  std::vector<std::vector<std::int64_t>> targets;
  std::int64_t truncated = 0;  ///< sources and targets cut to the model's length

  std::int64_t size() const { return static_cast<std::int64_t>(sources.size()); }
  /// The tokens of each pair, boundaries included.
  std::vector<std::int64_t> lengths() const;
  std::string fingerprint() const;
};
PairData encode_pairs(const std::vector<TextRow>& rows, const RunVocabulary& vocabulary, std::int64_t max_length);

}  // namespace lintel::train
