// The words that BLEU counts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lintel::train {

/// Cuts a line into words as version 13a of NIST's mteval script does, and sacreBLEU by default: `&quot;`, `&amp;`,
/// `&lt;` and `&gt;` become what they stand for; ASCII punctuation and symbols are words of their own, but an
/// apostrophe is left in its word, a full stop or a comma between digits in its number, and a hyphen stands by itself
/// only behind a digit; then white space separates. Words keep their case. Source: Papineni et al., "BLEU", ACL
/// 2002, with the rules of mteval-v13a as described in Post, "A call for clarity in reporting BLEU scores", WMT 2018.
std::vector<std::string> tokenise_13a(std::string_view line);

}  // namespace lintel::train
