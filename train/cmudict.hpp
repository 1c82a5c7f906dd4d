// The CMU pronouncing dictionary: English words and how they are spoken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lintel::train {

/// A word and one of its pronunciations: ARPAbet phones with stress, a space between.
struct Pronunciation {
  std::string word, phones;
};

/// Entries with all pronunciations of a word in the same part, in the order of the file.
struct PronunciationSplits {
  std::vector<Pronunciation> train, valid, test;
};

/// Reads a dictionary, plain or .gz: on each line a word, white space, phones. What follows ` #` is a comment, lines of
/// `;;;` are comments too, and further pronunciations of a word are those of `word(2)`, `word(3)`, …. Throws `Error`,
/// naming the line, for a word without a pronunciation, and for a file that cannot be read or has no entry.
std::vector<Pronunciation> read_cmudict(const std::filesystem::path& path);

/// Draws a tenth of the words for `test` and a hundredth for `valid`, a function of the words and the seed.
PronunciationSplits split_by_word(const std::vector<Pronunciation>& entries, std::uint64_t seed);

/// Writes `entries` as TSV with the header `Word<TAB>Phones`. Throws `Error` if the file cannot be written.
void write_pronunciations(const std::filesystem::path& path, const std::vector<Pronunciation>& entries);

}  // namespace lintel::train
