#include <algorithm>
#include <charconv>
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

std::int64_t id_of_number(const std::string& word, std::int64_t size) {
  std::int64_t id = -1;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, id);
  if (error == std::errc() && stop == end && id >= 0 && id < size) return id;
  fail("tokeniser: \"", word, "\" is not a token, a number from 0 to ", size - 1, " wanted");
}

// A total order, so that the vocabulary does not depend on the order of the hash table.
bool before_in_vocabulary(const WordCount& a, const WordCount& b) {
  return a.second != b.second ? a.second > b.second : a.first < b.first;
}

}  // namespace

Tokeniser Tokeniser::bytes() { return Tokeniser(Kind::bytes); }

Tokeniser Tokeniser::numbers(std::int64_t size) {
  if (size < 1) fail("tokeniser: a vocabulary of ", size, " numbers, at least 1 wanted");
  Tokeniser tokeniser(Kind::numbers);
  tokeniser.numbers_ = size;
  return tokeniser;
}

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
  Tokeniser tokeniser(Kind::words);
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
  if (kind_ == Kind::numbers) return numbers_;
  return is_bytes() ? 256 : static_cast<std::int64_t>(words_.size()) + first_word_id;
}

std::vector<std::int64_t> Tokeniser::encode(std::string_view text, std::int64_t max_length) const {
  std::vector<std::int64_t> ids = encode_all(text);
  const auto length = static_cast<std::int64_t>(ids.size());
  if (max_length > 0 && length > max_length) ids.resize(static_cast<std::size_t>(max_length));
  return ids;
}

std::vector<std::int64_t> Tokeniser::encode_all(std::string_view text) const {
  std::vector<std::int64_t> ids;
  if (is_bytes()) {
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  for (const std::string& word : split_words(text, split_)) {
    if (kind_ == Kind::numbers) {
      ids.push_back(id_of_number(word, numbers_));
    } else {
      const auto found = id_of_word_.find(word);
      ids.push_back(found == id_of_word_.end() ? unknown_id : found->second);
    }
  }
  return ids;
}

std::string Tokeniser::word_of(std::int64_t id) const {
  if (kind_ == Kind::numbers) return std::to_string(id);
  return id == unknown_id ? unknown_word : words_[static_cast<std::size_t>(id - first_word_id)];
}

std::string Tokeniser::decode(const std::vector<std::int64_t>& ids) const {
  std::string text;
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= vocabulary_size()) {
      fail("tokeniser: id ", id, " is outside the vocabulary of ", vocabulary_size());
    }
    if (is_bytes()) {
      text += static_cast<char>(id);
    } else if (kind_ == Kind::numbers || id != padding_id) {
      if (!text.empty()) text += ' ';
      text += word_of(id);
    }
  }
  return text;
}

void Tokeniser::save(const std::filesystem::path& path) const {
  const char* const kinds[] = {"bytes", "words", "numbers"};
  nlohmann::ordered_json json = {
      {"format", tokeniser_format}, {"version", 1}, {"kind", kinds[static_cast<int>(kind_)]}};
  if (kind_ == Kind::numbers) json["size"] = numbers_;
  if (kind_ == Kind::words) {
    json["split"] = word_split_name(split_);
    json["words"] = words_;
  }
  write_file(path, json.dump(1) + "\n");
}

Tokeniser Tokeniser::load(const std::filesystem::path& path) {
  return read_json_document(path, tokeniser_format, [](const nlohmann::json& json) {
    if (json.at("kind") == "bytes") return bytes();
    if (json.at("kind") == "numbers") return numbers(json.at("size").get<std::int64_t>());
    if (json.at("kind") != "words") fail("its kind is ", json.at("kind"));
    Tokeniser tokeniser(Kind::words);
    tokeniser.split_ = word_split_named(json.at("split").get<std::string>());
    tokeniser.set_words(json.at("words").get<std::vector<std::string>>());
    return tokeniser;
  });
}

}  // namespace lintel::train
