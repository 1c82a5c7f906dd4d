#include <doctest/doctest.h>

#include <cmath>

#include <lintel/core/isa.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/dropout.hpp>

#include "evaluate.hpp"

using namespace lintel;

TEST_CASE("dropout keeps the asked share and scales it to keep the mean") {
  const std::int64_t size = 1 << 20;
  for (const double rate : {0.1, 0.5, 0.9}) {
    CAPTURE(rate);
    const Tensor y = dropout(ones({size}), rate, 12345);
    std::int64_t kept = 0;
    for (const float element : y.values<float>()) {
      const bool is_kept = element != 0;
      if (is_kept) REQUIRE(element == doctest::Approx(1 / (1 - rate)));
      kept += is_kept;
    }
    const double deviation = std::sqrt(static_cast<double>(size) * rate * (1 - rate));
    CHECK(std::abs(static_cast<double>(kept) - static_cast<double>(size) * (1 - rate)) < 5 * deviation);
  }
}

TEST_CASE("neighbouring elements are dropped independently of each other") {
  const std::int64_t size = 1 << 20;
  const Tensor y = dropout(ones({size}), 0.5, 99);
  const float* element = y.data<float>();
  for (const std::int64_t apart : {1, 2, 3, 4, 256}) {
    CAPTURE(apart);
    std::int64_t equal = 0;
    for (std::int64_t i = 0; i + apart < size; ++i) equal += (element[i] == 0) == (element[i + apart] == 0);
    CHECK(std::abs(static_cast<double>(equal) - 0.5 * static_cast<double>(size)) < 5 * std::sqrt(0.25 * size));
  }
}

TEST_CASE("the mask of dropout's derivative is that of its value") {
  const Tensor x = ones({1000, 33});
  Tape tape;
  tape.watch(x);
  const Tensor y = dropout(x, 0.3, 4);
  const Tensor gradient = tape.gradients(y, {x}, {.seeds = {ones(x.shape())}})[x];
  CHECK(distance(gradient, y) == 0);
}

TEST_CASE("a mask depends on the key, and on nothing else") {
  const Tensor x32 = ones({333, 77}), x64 = ones({333, 77}, DType::float64);
  const Tensor first = dropout(x32, 0.4, 1);
  CHECK(distance(dropout(x32, 0.4, 1), first) == 0);
  CHECK(distance(dropout(x32, 0.4, 2), first) > 0);
  CHECK(distance(dropout(x32, 0.4, std::uint64_t{1} << 32 | 1), first) > 0);
  const Isa active = active_isa();
  const int default_threads = threads();
  for (const Isa isa : available_isas()) {
    set_active_isa(isa);
    set_threads(isa == Isa::baseline ? 7 : 1);
    CHECK(distance(dropout(x32, 0.4, 1), first) == 0);
    const Tensor y64 = dropout(x64, 0.4, 1);
    bool same_mask = true;
    for (std::int64_t i = 0; i < x64.size(); ++i) {
      same_mask &= (y64.data<double>()[i] == 0) == (first.data<float>()[i] == 0);
    }
    CHECK(same_mask);
  }
  set_active_isa(active);
  set_threads(default_threads);
}

TEST_CASE("dropout drops NaN and infinity too") {
  const Tensor x = full({1000}, std::nan(""));
  const Tensor y = dropout(x, 0.5, 8), mask = dropout(ones({1000}), 0.5, 8);
  for (std::int64_t i = 0; i < 1000; ++i) {
    REQUIRE(std::isnan(y.data<float>()[i]) == (mask.data<float>()[i] != 0));
    REQUIRE((y.data<float>()[i] == 0) == (mask.data<float>()[i] == 0));
  }
}
