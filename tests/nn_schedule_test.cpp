// Learning rates against their formulas.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <lintel/nn/schedule.hpp>

#include "file_helpers.hpp"

using namespace lintel;
using namespace lintel_test;
using nn::Schedule;

TEST_CASE("the inverse square root rises linearly to rate / √warmup, then falls") {
  const Schedule schedule = Schedule::inverse_sqrt(0.005, 1000);
  CHECK(schedule(1) == doctest::Approx(0.005 / 1000 / std::sqrt(1000.0)));
  CHECK(schedule(500) == doctest::Approx(0.5 * schedule(1000)));
  CHECK(schedule(1000) == doctest::Approx(1.5811388e-4));
  CHECK(schedule(4000) == doctest::Approx(0.005 / std::sqrt(4000.0)));
  CHECK(Schedule::inverse_sqrt(1, 0)(4) == doctest::Approx(0.5));
}

TEST_CASE("the cosine rises to the peak, is half way down in the middle, and stays at the floor") {
  const Schedule schedule = Schedule::warmup_cosine(1, 10, 110, 0.2);
  CHECK(schedule(1) == doctest::Approx(0.1));
  CHECK(schedule(10) == doctest::Approx(1));
  CHECK(schedule(35) == doctest::Approx(0.2 + 0.8 * (1 + std::sqrt(0.5)) / 2));
  CHECK(schedule(60) == doctest::Approx(0.6));
  CHECK(schedule(110) == doctest::Approx(0.2));
  CHECK(schedule(1000) == doctest::Approx(0.2));
}

TEST_CASE("the linear schedule rises to the peak and falls to the floor") {
  const Schedule schedule = Schedule::warmup_linear(2e-3, 4, 12);
  CHECK(schedule(2) == doctest::Approx(1e-3));
  CHECK(schedule(4) == doctest::Approx(2e-3));
  CHECK(schedule(10) == doctest::Approx(0.5e-3));
  CHECK(schedule(12) == 0);
  CHECK(Schedule::warmup_linear(1, 0, 4)(1) == doctest::Approx(0.75));
  CHECK(Schedule::warmup_linear(1, 4, 4)(3) == doctest::Approx(0.75));
}

TEST_CASE("a constant is constant, and a schedule of one's own is called") {
  CHECK(Schedule::constant(0.1)(1) == 0.1);
  CHECK(Schedule::constant(0.1)(1'000'000) == 0.1);
  CHECK(Schedule([](std::int64_t step) { return 1.0 / static_cast<double>(step); })(4) == 0.25);
}

TEST_CASE("a schedule refuses steps below 1 and numbers that make no sense") {
  CHECK(contains(error_of([] { Schedule::constant(1)(0); }), "schedule: step is 0, steps count from 1"));
  CHECK(contains(error_of([] { Schedule::constant(-1); }), "learning rate is -1"));
  CHECK(
      contains(error_of([] { Schedule::constant(std::numeric_limits<double>::quiet_NaN()); }), "learning rate is nan"));
  CHECK(contains(error_of([] { Schedule::inverse_sqrt(1, -1); }), "warm-up is -1 steps"));
  CHECK(contains(error_of([] { Schedule::warmup_cosine(1, 10, 5); }), "ends at step 5, before the warm-up ends at 10"));
  CHECK(contains(error_of([] { Schedule::warmup_linear(1, 1, 5, 2); }), "floor is 2"));
}
