#include <lintel/train/cmudict.hpp>

#include <algorithm>
#include <set>
#include <unordered_map>

#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>
#include <lintel/train/ascii.hpp>
#include <lintel/train/batching.hpp>
#include <lintel/train/text_source.hpp>
#include <lintel/train/word_split.hpp>

namespace lintel::train {
namespace {

/// "word" of "word(2)".
std::string without_variant(const std::string& word) {
  const std::size_t open = word.rfind('(');
  if (open == std::string::npos || open == 0 || !word.ends_with(')') || open + 2 == word.size()) return word;
  return std::all_of(word.begin() + static_cast<std::ptrdiff_t>(open) + 1, word.end() - 1, is_ascii_digit)
             ? word.substr(0, open)
             : word;
}

std::string joined(const std::vector<std::string>& phones) {
  std::string text;
  for (const std::string& phone : phones) text += (text.empty() ? "" : " ") + phone;
  return text;
}

}  // namespace

std::vector<Pronunciation> read_cmudict(const std::filesystem::path& path) {
  TextSource source(path);
  std::vector<Pronunciation> entries;
  std::string line;
  for (std::int64_t number = 1; source.next_line(line); ++number) {
    require_utf8(line, source.name(), number);
    if (line.starts_with(";;;")) continue;
    std::vector<std::string> words = split_words(line, WordSplit::whitespace);
    words.erase(std::find(words.begin(), words.end(), "#"), words.end());
    if (words.empty()) continue;
    if (words.size() == 1) fail("cmudict: ", source.name(), ": line ", number, ": ", words[0], " has no pronunciation");
    const std::string word = without_variant(words[0]);
    words.erase(words.begin());
    entries.push_back({word, joined(words)});
  }
  if (entries.empty()) fail("cmudict: ", source.name(), " has no entry");
  return entries;
}

PronunciationSplits split_by_word(const std::vector<Pronunciation>& entries, std::uint64_t seed) {
  std::set<std::string> distinct;
  for (const Pronunciation& entry : entries) distinct.insert(entry.word);
  const std::vector<std::string> words(distinct.begin(), distinct.end());
  const auto count = static_cast<std::int64_t>(words.size());
  std::unordered_map<std::string, std::int64_t> place_of;
  std::int64_t place = 0;
  for (const std::int64_t row : shuffled_rows(count, seed, 0)) place_of[words[static_cast<std::size_t>(row)]] = place++;
  PronunciationSplits splits;
  for (const Pronunciation& entry : entries) {
    const std::int64_t drawn = place_of[entry.word];
    auto& part = drawn < count / 10 ? splits.test : drawn < count / 10 + count / 100 ? splits.valid : splits.train;
    part.push_back(entry);
  }
  return splits;
}

void write_pronunciations(const std::filesystem::path& path, const std::vector<Pronunciation>& entries) {
  AtomicFile file(path);
  file.write("Word\tPhones\n");
  for (const Pronunciation& entry : entries) file.write(entry.word + "\t" + entry.phones + "\n");
  file.commit();
}

}  // namespace lintel::train
