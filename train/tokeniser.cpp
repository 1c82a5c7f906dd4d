#include <algorithm>
#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/utf8.hpp>
#include <lintel/train/json_document.hpp>
#include <lintel/train/tokeniser.hpp>
#include <nlohmann/json.hpp>

namespace lintel::train {
namespace {

constexpr std::int64_t first_word_id = 2;
constexpr const char* tokeniser_format = "lintel tokeniser";
constexpr const char* unknown_word = "<unknown>";

using WordCount = std::pair<std::string, std::int64_t>;

std::vector<WordCount> count_words(const std::vector<std::string_view>& texts, WordSplit split) {
  std::unordered_map<std::string, std::int64_t> counts;
  for (const std::string_view text : texts) {
    for (std::string& word : split_words(text, split)) ++counts[std::move(word)];
  }
  return {counts.begin(), counts.end()};
}

// A total order, so that the vocabulary does not depend on the order of the hash table.
bool before_in_vocabulary(const WordCount& a, const WordCount& b) {
  return a.second != b.second ? a.second > b.second : a.first < b.first;
}

}  // namespace

Tokeniser Tokeniser::bytes() { return Tokeniser(true); }

Tokeniser Tokeniser::words(const std::vector<std::string_view>& texts, const VocabularyOptions& options) {
  if (options.max_size != 0 && options.max_size <= first_word_id) {
    fail("tokeniser: a vocabulary of ", options.max_size, " rows has no room for a word, wanted 3 or more");
  }
  std::vector<WordCount> counts = count_words(texts, options.split);
  std::sort(counts.begin(), counts.end(), before_in_vocabulary);
  std::vector<std::string> words;
  for (auto& [word, count] : counts) {
    if (count < options.min_count) break;
    if (options.max_size != 0 && static_cast<std::int64_t>(words.size()) + first_word_id == options.max_size) break;
    if (find_utf8_defect(word)) fail("tokeniser: a word of the training text is not UTF-8");
    words.push_back(std::move(word));
  }
  Tokeniser tokeniser(false);
  tokeniser.split_ = options.split;
  tokeniser.set_words(std::move(words));
  return tokeniser;
}

void Tokeniser::set_words(std::vector<std::string> words) {
  words_ = std::move(words);
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const bool is_new = id_of_word_.emplace(words_[i], static_cast<std::int64_t>(i) + first_word_id).second;
    if (!is_new) fail("tokeniser: the word \"", words_[i], "\" occurs twice in the vocabulary");
  }
}

std::int64_t Tokeniser::vocabulary_size() const {
  return is_bytes_ ? 256 : static_cast<std::int64_t>(words_.size()) + first_word_id;
}

std::vector<std::int64_t> Tokeniser::encode(std::string_view text, std::int64_t max_length) const {
  std::vector<std::int64_t> ids;
  if (is_bytes_) {
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  } else {
    for (const std::string& word : split_words(text, split_)) {
      const auto found = id_of_word_.find(word);
      ids.push_back(found == id_of_word_.end() ? unknown_id : found->second);
    }
  }
  const auto length = static_cast<std::int64_t>(ids.size());
  if (max_length > 0 && length > max_length) ids.resize(static_cast<std::size_t>(max_length));
  return ids;
}

std::string Tokeniser::decode(const std::vector<std::int64_t>& ids) const {
  std::string text;
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= vocabulary_size()) {
      fail("tokeniser: id ", id, " is outside the vocabulary of ", vocabulary_size());
    }
    if (is_bytes_) {
      text += static_cast<char>(id);
    } else if (id != padding_id) {
      if (!text.empty()) text += ' ';
      text += id == unknown_id ? unknown_word : words_[static_cast<std::size_t>(id - first_word_id)];
    }
  }
  return text;
}

void Tokeniser::save(const std::filesystem::path& path) const {
  nlohmann::ordered_json json = {{"format", tokeniser_format}, {"version", 1}, {"kind", is_bytes_ ? "bytes" : "words"}};
  if (!is_bytes_) {
    json["split"] = word_split_name(split_);
    json["words"] = words_;
  }
  write_file(path, json.dump(1) + "\n");
}

Tokeniser Tokeniser::load(const std::filesystem::path& path) {
  return read_json_document(path, tokeniser_format, [](const nlohmann::json& json) {
    if (json.at("kind") == "bytes") return bytes();
    if (json.at("kind") != "words") fail("its kind is ", json.at("kind"));
    Tokeniser tokeniser(false);
    tokeniser.split_ = word_split_named(json.at("split").get<std::string>());
    tokeniser.set_words(json.at("words").get<std::vector<std::string>>());
    return tokeniser;
  });
}

}  // namespace lintel::train
