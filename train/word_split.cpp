#include <lintel/core/error.hpp>
#include <lintel/train/ascii.hpp>
#include <lintel/train/tokenise_13a.hpp>
#include <lintel/train/word_split.hpp>

namespace lintel::train {
namespace {

// The character that `alphanumeric` makes of `c`, or a space.
char lower_alphanumeric(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : ' ';
}

bool is_parenthesis(const std::string& word) { return word == "(" || word == ")"; }

}  // namespace

std::string word_split_name(WordSplit split) {
  switch (split) {
    case WordSplit::alphanumeric:
      return "alphanumeric";
    case WordSplit::whitespace:
      return "whitespace";
    case WordSplit::listops:
      return "listops";
    case WordSplit::mteval_13a:
      return "13a";
  }
  fail("word split: unknown rule");
}

WordSplit word_split_named(const std::string& name) {
  for (const WordSplit split :
       {WordSplit::alphanumeric, WordSplit::whitespace, WordSplit::listops, WordSplit::mteval_13a}) {
    if (word_split_name(split) == name) return split;
  }
  fail("word split: \"", name, "\" is unknown, wanted alphanumeric, whitespace, listops or 13a");
}

std::vector<std::string> split_words(std::string_view text, WordSplit split) {
  if (split == WordSplit::mteval_13a) return tokenise_13a(text);
  std::vector<std::string> words;
  std::string word;
  auto end_word = [&] {
    if (!word.empty() && !(split == WordSplit::listops && is_parenthesis(word))) words.push_back(word);
    word.clear();
  };
  for (const char character : text) {
    const char c = split == WordSplit::alphanumeric ? lower_alphanumeric(character) : character;
    if (is_ascii_space(c)) {
      end_word();
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

}  // namespace lintel::train
