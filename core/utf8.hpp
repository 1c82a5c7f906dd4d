// Is this text UTF-8?
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace lintel {

/// What is wrong with a text that should be UTF-8.
struct Utf8Defect {
  std::size_t offset;  ///< byte offset of the character that is not valid
  bool unfinished;     ///< the text ends in the middle of this character, which is valid so far
};

/// The first place where `text` is not UTF-8 as RFC 3629 defines it (no overlong forms, no surrogates, nothing above
/// U+10FFFF), or nothing if it is.
std::optional<Utf8Defect> find_utf8_defect(std::string_view text);

}  // namespace lintel
