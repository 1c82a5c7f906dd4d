// What the measurements of `lintel bench` share.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

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

/// Rounded to so many digits behind the point, for reports.
double rounded(double value, int digits);

}  // namespace lintel::tools
