// A run's data as a model takes it: sequences of ids with labels, or one long text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lintel/ops/sequences.hpp>
#include <lintel/train/batching.hpp>
#include <lintel/train/labels.hpp>
#include <lintel/train/run_config.hpp>
#include <lintel/train/text_table.hpp>
#include <lintel/train/tokeniser.hpp>

namespace lintel::train {

/// Rows to classify. `sequences`, `second_sequences`, `labels` and rows of the file correspond.
struct ClassifyData {
  std::vector<std::vector<std::int64_t>> sequences;         ///< none is empty
  std::vector<std::vector<std::int64_t>> second_sequences;  ///< the other text of each row; empty when rows have one
  std::vector<std::int64_t> labels;                         ///< class indices; empty when the rows have none
  std::int64_t truncated = 0;                               ///< texts cut to the model's length
  std::int64_t dropped_tokens = 0;                          ///< tokens that this cost

  std::int64_t size() const { return static_cast<std::int64_t>(sequences.size()); }
  /// The tokens of each row, of both its texts where there are two.
  std::vector<std::int64_t> lengths() const;
  std::string fingerprint() const;
};

/// A text and the part of it held out for validation.
struct TextData {
  std::string train;
  std::string valid;
};

/// How `config` wants the rows of a data set made into batches.
BatchOptions batch_options(const RunConfig& config);

/// The number of tokens of each sequence.
std::vector<std::int64_t> lengths_of(const std::vector<std::vector<std::int64_t>>& sequences);

/// Those of `sequences` that `rows` names, one after the other.
Packed pack_rows(const std::vector<std::vector<std::int64_t>>& sequences, const std::vector<std::int64_t>& rows);

/// Where `config` says that a table keeps its text and labels.
TableOptions table_options(const RunConfig& config);

/// What is read of a row as one text: its text and, if a second column is read, a space and that.
std::string text_of(const TextRow& row);

/// The number of items, of `count` in file order, that are trained on; the rest is held out. At least one of each where
/// `fraction` is not 0. Throws `Error`, naming `what`, when there are too few.
std::int64_t training_part(std::int64_t count, double fraction, const std::string& what);

/// The tokeniser that `config` names, a word tokeniser with the vocabulary of `rows`.
Tokeniser build_tokeniser(const RunConfig& config, const std::vector<TextRow>& rows);

/// The tokeniser called `name`, with the other settings of `config`; a word tokeniser has the vocabulary of `texts`.
Tokeniser build_tokeniser(const RunConfig& config, const std::string& name, const std::vector<std::string_view>& texts);

/// The classes that occur in `rows`.
Labels build_labels(const std::vector<TextRow>& rows);

/// The ids of one text, cut to `max_length`. A text without a token becomes one padding token, so that every sequence
/// has a place to read.
std::vector<std::int64_t> encode_text(const std::string& text, const Tokeniser& tokeniser, std::int64_t max_length);

/// `rows` of the file `name` as ids and, where `labels` is given, classes. `config` says how long a text may be, and
/// whether a row is one text or a pair. Throws `Error`, naming file and line, for a label that `labels` does not have.
ClassifyData encode_rows(const std::vector<TextRow>& rows, const RunConfig& config, const Tokeniser& tokeniser,
                         const Labels* labels, const std::string& name);

/// Reads the training text and the validation text of `config`, or holds out the end of the first. Throws `Error` if a
/// file cannot be read, is empty or not UTF-8, or a part is shorter than two bytes.
TextData load_text(const RunConfig& config);

}  // namespace lintel::train
