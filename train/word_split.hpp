// How a text becomes words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lintel::train {

/// The rule that cuts a text into words.
enum class WordSplit {
  alphanumeric,  ///< ASCII letters to lower case, every byte outside [a-z0-9] separates
  whitespace,    ///< ASCII white space separates, words stay as they are
  listops,       ///< as `whitespace`, and the tokens `(` and `)` are dropped
  mteval_13a,    ///< words as `whitespace`, and punctuation by itself, by the rules of `tokenise_13a`
};

/// The name that files use: "alphanumeric", "whitespace", "listops" or "13a".
std::string word_split_name(WordSplit split);

/// The rule called `name`. Throws `Error` with the choices for an unknown name.
WordSplit word_split_named(const std::string& name);

/// The words of `text`, in order.
std::vector<std::string> split_words(std::string_view text, WordSplit split);

}  // namespace lintel::train
