// "Did you mean …?": the known names that a misspelt one resembles.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lintel::train {

/// The number of insertions, deletions, substitutions and exchanges of neighbours that turn `a` into `b` (optimal
/// string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Up to three of `names` that `word` may have been meant to be, the nearest first: those that begin with it, or differ
/// from it in at most a third of its letters (at least two). Case does not count, `-` and `_` are the same letter.
std::vector<std::string> near_names(std::string_view word, const std::vector<std::string>& names);

/// `near_names` as the end of a sentence: "; did you mean hidden or heads?", or nothing when no name is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

}  // namespace lintel::train
