// Text to ids and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <lintel/train/word_split.hpp>

namespace lintel::train {

/// How to build the vocabulary of a word tokeniser.
struct VocabularyOptions {
  WordSplit split = WordSplit::alphanumeric;
  std::int64_t max_size = 0;   ///< rows of the embedding table at most, padding and unknown included; 0 means no limit
  std::int64_t min_count = 1;  ///< a word that occurs less often is left out
};

/// Turns text into the ids of an embedding table: bytes (id = byte, 256 ids, nothing is unknown), words (0 is padding,
/// 1 is unknown, words follow from 2, the most frequent first), or numbers that are the ids themselves, for a model
/// whose own tokeniser is not at hand. Saved with a run, so that a run's folder is
/// enough to read new text.
class Tokeniser {
 public:
  static constexpr std::int64_t padding_id = 0;  ///< of a word tokeniser
  static constexpr std::int64_t unknown_id = 1;  ///< of a word tokeniser

  /// The byte tokeniser.
  static Tokeniser bytes();

  /// A word tokeniser with the words of `texts`, by falling frequency and equally frequent ones in byte order. Throws
  /// `Error` if an option makes no sense or a word is not UTF-8.
  static Tokeniser words(const std::vector<std::string_view>& texts, const VocabularyOptions& options = {});

  /// The tokeniser of texts like "1 403 407", with the ids 0 … size − 1. Throws `Error` for a size below 1.
  static Tokeniser numbers(std::int64_t size);

  /// Reads what `save` wrote. Throws `Error` if the file is not a tokeniser.
  static Tokeniser load(const std::filesystem::path& path);

  /// Writes the tokeniser as JSON. Throws `Error` if that fails.
  void save(const std::filesystem::path& path) const;

  /// True of the byte tokeniser.
  bool is_bytes() const { return kind_ == Kind::bytes; }

  /// The number of ids, which is the number of rows of the embedding table.
  std::int64_t vocabulary_size() const;

  /// The ids of `text`, at most `max_length` of them (0 means all). A text without a single word gives none. Throws
  /// `Error` for text that is no list of ids where numbers are wanted.
  std::vector<std::int64_t> encode(std::string_view text, std::int64_t max_length = 0) const;

  /// The text of `ids`: bytes as they are, words and numbers with a space between; padding is left out and an unknown
  /// word is `<unknown>`. Throws `Error` for an id outside the vocabulary.
  std::string decode(const std::vector<std::int64_t>& ids) const;

 private:
  enum class Kind { bytes, words, numbers };

  explicit Tokeniser(Kind kind) : kind_(kind) {}
  void set_words(std::vector<std::string> words);
  std::vector<std::int64_t> encode_all(std::string_view text) const;
  std::string word_of(std::int64_t id) const;

  Kind kind_;
  std::int64_t numbers_ = 0;  // ids of a tokeniser of numbers
  WordSplit split_ = WordSplit::whitespace;
  std::vector<std::string> words_;  // words_[i] has the id i + 2
  std::unordered_map<std::string, std::int64_t> id_of_word_;
};

}  // namespace lintel::train
