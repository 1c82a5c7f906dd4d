// How near translations come to those of people.
#pragma once

#include <string>
#include <vector>

namespace lintel::train {

/// BLEU of a corpus, from 0 to 100, with one reference for each translation:
///   100 · min(1, e^(1 − r/c)) · Π_{n = 1 … 4} p_n^(1/4),
/// c and r the words of all translations and of all references by `tokenise_13a`, p_n the share of the n-grams of all
/// translations that their references have too, each as often as there. A p_n of 0 becomes 1 / (2^k · total) for the
/// k-th n that has none; it is 0 altogether when no n-gram of some length exists or none of any length is shared. These
/// are sacreBLEU's defaults. Throws `Error` unless there is a reference for each translation, and at least one.
/// Source: Papineni et al., "BLEU", ACL 2002; the smoothing is method 3 of Chen, Cherry, "A systematic comparison of
/// smoothing techniques for sentence-level BLEU", WMT 2014.
double corpus_bleu(const std::vector<std::string>& translations, const std::vector<std::string>& references);

}  // namespace lintel::train
