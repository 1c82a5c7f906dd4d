#include <lintel/train/sampling.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <lintel/core/error.hpp>

namespace lintel::train {
namespace {

// The ids of all tokens, the most likely first.
std::vector<std::size_t> ids_by_logit(std::span<const float> logits) {
  std::vector<std::size_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), std::size_t{0});
  std::stable_sort(ids.begin(), ids.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  return ids;
}

// Unnormalised probabilities of `ids`, the first being 1: no exponential overflows.
std::vector<double> weights_of(std::span<const float> logits, const std::vector<std::size_t>& ids, double temperature) {
  std::vector<double> weights;
  const auto largest = static_cast<double>(logits[ids.front()]);
  for (const std::size_t id : ids) {
    weights.push_back(std::exp((static_cast<double>(logits[id]) - largest) / temperature));
  }
  return weights;
}

// The first index at which the running sum of `weights` exceeds `target`, else the last.
std::size_t index_of_sum(const std::vector<double>& weights, double target) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += weights[i];
    if (sum > target) return i;
  }
  return weights.size() - 1;
}

}  // namespace

void check_sampling(const SamplingOptions& options) {
  if (!(options.temperature >= 0) || std::isinf(options.temperature)) {
    fail("sampling: temperature is 0 or more, got ", options.temperature);
  }
  if (options.top_k < 0) fail("sampling: top_k is 0 or more, got ", options.top_k);
  if (!(options.top_p > 0 && options.top_p <= 1)) fail("sampling: top_p is above 0 and at most 1, got ", options.top_p);
}

std::int64_t sample_token(std::span<const float> logits, const SamplingOptions& options, Rng& random) {
  check_sampling(options);
  if (logits.empty()) fail("sampling: there are no logits");
  if (std::any_of(logits.begin(), logits.end(), [](float logit) { return std::isnan(logit); })) {
    fail("sampling: a logit is NaN");
  }
  std::vector<std::size_t> ids = ids_by_logit(logits);
  if (options.temperature == 0) return static_cast<std::int64_t>(ids.front());
  if (options.top_k > 0 && static_cast<std::size_t>(options.top_k) < ids.size()) {
    ids.resize(static_cast<std::size_t>(options.top_k));
  }
  std::vector<double> weights = weights_of(logits, ids, options.temperature);
  if (options.top_p < 1) {
    const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
    weights.resize(index_of_sum(weights, options.top_p * all) + 1);
  }
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0);
  return static_cast<std::int64_t>(ids[index_of_sum(weights, random.uniform() * all)]);
}

}  // namespace lintel::train
