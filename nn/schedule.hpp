// Learning rates as functions of the step.
#pragma once

#include <cstdint>
#include <functional>

namespace lintel::nn {

/// A learning rate for every step; the first step is number 1.
class Schedule {
 public:
  /// A schedule of one's own.
  explicit Schedule(std::function<double(std::int64_t)> rate) : rate_(std::move(rate)) {}

  /// `rate`, always.
  static Schedule constant(double rate);
  /// rate · min(1, step / warmup) / √max(step, warmup). The peak is rate / √warmup, not `rate`.
  /// Source: Long Range Arena (Tay et al., ICLR 2021); the form goes back to Vaswani et al., 2017.
  static Schedule inverse_sqrt(double rate, std::int64_t warmup);
  /// Rises linearly to `peak` over `warmup` steps, then falls along half a cosine to `floor` at step `steps`, and
  /// stays. Source: Loshchilov, Hutter, "SGDR", ICLR 2017.
  static Schedule warmup_cosine(double peak, std::int64_t warmup, std::int64_t steps, double floor = 0);
  /// Rises linearly to `peak` over `warmup` steps, then falls linearly to `floor` at step `steps`, and stays.
  static Schedule warmup_linear(double peak, std::int64_t warmup, std::int64_t steps, double floor = 0);

  /// The learning rate of `step`. Throws `Error` below 1.
  double operator()(std::int64_t step) const;

 private:
  std::function<double(std::int64_t)> rate_;
};

}  // namespace lintel::nn
