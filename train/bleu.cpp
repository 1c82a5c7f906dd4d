#include <lintel/train/bleu.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>

#include <lintel/core/error.hpp>
#include <lintel/train/tokenise_13a.hpp>

namespace lintel::train {
namespace {

constexpr std::size_t longest_ngram = 4;

using Words = std::vector<std::string>;
using NgramCounts = std::map<Words, std::int64_t>;

NgramCounts count_ngrams(const Words& words, std::size_t n) {
  NgramCounts counts;
  for (auto begin = words.begin(); words.end() - begin >= static_cast<std::ptrdiff_t>(n); ++begin) {
    ++counts[Words(begin, begin + static_cast<std::ptrdiff_t>(n))];
  }
  return counts;
}

/// The n-grams of a corpus of translations, and those of them that the references have too.
struct Matches {
  std::int64_t shared = 0, total = 0;

  void add(const Words& translation, const Words& reference, std::size_t n) {
    const NgramCounts wanted = count_ngrams(reference, n);
    for (const auto& [ngram, count] : count_ngrams(translation, n)) {
      total += count;
      const auto found = wanted.find(ngram);
      if (found != wanted.end()) shared += std::min(count, found->second);
    }
  }
};

}  // namespace

double corpus_bleu(const std::vector<std::string>& translations, const std::vector<std::string>& references) {
  if (translations.empty() || translations.size() != references.size()) {
    fail("bleu: ", translations.size(), " translations and ", references.size(), " references, as many of both wanted");
  }
  std::array<Matches, longest_ngram> matches;
  double words = 0, reference_words = 0;
  for (std::size_t i = 0; i < translations.size(); ++i) {
    const Words translation = tokenise_13a(translations[i]), reference = tokenise_13a(references[i]);
    words += static_cast<double>(translation.size());
    reference_words += static_cast<double>(reference.size());
    for (std::size_t n = 1; n <= longest_ngram; ++n) matches[n - 1].add(translation, reference, n);
  }
  if (matches.front().shared == 0) return 0;
  double log_precisions = 0, smoothing = 1;
  for (const auto& [shared, total] : matches) {
    if (total == 0) return 0;
    if (shared == 0) smoothing *= 2;
    const double numerator = shared == 0 ? 1 / smoothing : static_cast<double>(shared);
    log_precisions += std::log(numerator / static_cast<double>(total));
  }
  const double brevity_penalty = words < reference_words ? std::exp(1 - reference_words / words) : 1;
  return 100 * brevity_penalty * std::exp(log_precisions / static_cast<double>(longest_ngram));
}

}  // namespace lintel::train
