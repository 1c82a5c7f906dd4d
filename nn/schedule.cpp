#include <algorithm>
#include <cmath>
#include <numbers>

#include <lintel/core/error.hpp>
#include <lintel/nn/schedule.hpp>

namespace lintel::nn {
namespace schedule_detail {

void check(const char* name, double rate, std::int64_t warmup) {
  if (!(rate >= 0) || !std::isfinite(rate)) fail(name, ": learning rate is ", rate, ", a finite number from 0 wanted");
  if (warmup < 0) fail(name, ": warm-up is ", warmup, " steps, 0 or more wanted");
}

void check_decay(const char* name, double peak, std::int64_t warmup, std::int64_t steps, double floor) {
  check(name, peak, warmup);
  if (steps < warmup) fail(name, ": ends at step ", steps, ", before the warm-up ends at ", warmup);
  if (!(floor >= 0 && floor <= peak))
    fail(name, ": floor is ", floor, ", a number from 0 to the peak ", peak, " wanted");
}

/// Linear warm-up, then `floor + (peak − floor) · fall(progress)` with progress from 0 to 1.
template <class Fall>
double warmed_up(std::int64_t step, double peak, std::int64_t warmup, std::int64_t steps, double floor, Fall fall) {
  if (step < warmup) return peak * static_cast<double>(step) / static_cast<double>(warmup);
  if (step >= steps) return floor;
  return floor + (peak - floor) * fall(static_cast<double>(step - warmup) / static_cast<double>(steps - warmup));
}

}  // namespace schedule_detail

Schedule Schedule::constant(double rate) {
  schedule_detail::check("constant schedule", rate, 0);
  return Schedule([=](std::int64_t) { return rate; });
}

Schedule Schedule::inverse_sqrt(double rate, std::int64_t warmup) {
  schedule_detail::check("inverse_sqrt schedule", rate, warmup);
  const auto warm = static_cast<double>(std::max<std::int64_t>(warmup, 1));
  return Schedule([=](std::int64_t step) {
    const auto now = static_cast<double>(step);
    return rate * std::min(1.0, now / warm) / std::sqrt(std::max(now, warm));
  });
}

Schedule Schedule::warmup_cosine(double peak, std::int64_t warmup, std::int64_t steps, double floor) {
  schedule_detail::check_decay("warmup_cosine schedule", peak, warmup, steps, floor);
  const auto fall = [](double progress) { return 0.5 * (1 + std::cos(std::numbers::pi * progress)); };
  return Schedule(
      [=](std::int64_t step) { return schedule_detail::warmed_up(step, peak, warmup, steps, floor, fall); });
}

Schedule Schedule::warmup_linear(double peak, std::int64_t warmup, std::int64_t steps, double floor) {
  schedule_detail::check_decay("warmup_linear schedule", peak, warmup, steps, floor);
  const auto fall = [](double progress) { return 1 - progress; };
  return Schedule(
      [=](std::int64_t step) { return schedule_detail::warmed_up(step, peak, warmup, steps, floor, fall); });
}

double Schedule::operator()(std::int64_t step) const {
  if (step < 1) fail("schedule: step is ", step, ", steps count from 1");
  return rate_(step);
}

}  // namespace lintel::nn
