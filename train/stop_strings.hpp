// Ending a generated text at a given string.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lintel::train {

/// Watches a text that arrives in pieces for any of some strings. What may be the beginning of one is held back, so
/// that a reader of the pieces that `take` returns never sees a stop string.
class StopStrings {
 public:
  /// Throws `Error` for an empty string.
  explicit StopStrings(std::vector<std::string> stops);

  /// Takes the next piece and returns what can be shown: everything before the first stop string, or before what may
  /// become one. Nothing once a stop string was found.
  std::string take(std::string_view piece);

  /// The stop string that was found, empty if none was yet.
  const std::string& found() const { return found_; }

  /// What was held back, when the text ends without a stop string.
  std::string rest();

 private:
  std::size_t possible_begin() const;

  std::vector<std::string> stops_;
  std::string held_;
  std::string found_;
};

}  // namespace lintel::train
