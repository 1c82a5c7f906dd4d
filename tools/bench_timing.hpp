// What the measurements of `lintel bench` share.
#pragma once

#include <algorithm>
#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include <lintel/autograd/tape.hpp>

namespace lintel::tools {

/// The seconds that `work()` takes by the clock.
template <class Work>
double seconds_of(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The middle one of `numbers`, which are not empty.
inline double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

/// Floating-point operations of matrix products.
struct Flops {
  double once = 0;        ///< each product counted once: the forward pass, and twice that for the backward pass
  double recomputed = 0;  ///< of products that the backward pass computes again
};

/// Of the ops of a tape, in both directions or forward only.
Flops flops_of(const std::vector<OpTime>& times, bool forward_only);

/// Adds the counts and their shares of what `peak_gflops` could do in the time: `flops`, `flops_recomputed`,
/// `share_of_peak` of the former alone and `share_of_peak_with_recomputed` of both.
void add_shares(nlohmann::ordered_json& json, const Flops& flops, double milliseconds, double peak_gflops);

/// Rounded to so many digits behind the point, for reports.
double rounded(double value, int digits);

}  // namespace lintel::tools
