#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>

#include <lintel/train/sampling.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using lintel_test::contains;
using lintel_test::error_of;

namespace {

// Probabilities 1/2, 1/4, 1/8, 1/8, not in this order.
const std::vector<float> logits = {std::log(0.125f), std::log(0.5f), std::log(0.125f), std::log(0.25f)};

std::map<std::int64_t, double> shares(const SamplingOptions& options, int draws = 20000) {
  lintel::Rng random(5);
  std::map<std::int64_t, double> shares;
  for (int i = 0; i < draws; ++i) shares[sample_token(logits, options, random)] += 1.0 / draws;
  return shares;
}

}  // namespace

TEST_CASE("sampling follows the model's distribution") {
  const auto found = shares({});
  CHECK(found.at(1) == doctest::Approx(0.5).epsilon(0.05));
  CHECK(found.at(3) == doctest::Approx(0.25).epsilon(0.05));
  CHECK(found.at(0) == doctest::Approx(0.125).epsilon(0.1));
  CHECK(found.at(2) == doctest::Approx(0.125).epsilon(0.1));
}

TEST_CASE("a temperature of 1/2 squares the probabilities, 0 takes the likeliest") {
  const double sum = 0.25 + 0.0625 + 2 * 0.015625;
  CHECK(shares({.temperature = 0.5}).at(1) == doctest::Approx(0.25 / sum).epsilon(0.05));
  CHECK(shares({.temperature = 0}).size() == 1);
  CHECK(shares({.temperature = 0}).contains(1));
}

TEST_CASE("top_k keeps the k likeliest, the smaller id first") {
  CHECK(shares({.top_k = 1}).size() == 1);
  const auto three = shares({.top_k = 3});
  CHECK(three.size() == 3);
  CHECK(three.contains(0));
  CHECK(three.at(1) == doctest::Approx(0.5 / 0.875).epsilon(0.05));
  CHECK(shares({.top_k = 100}).size() == 4);
}

TEST_CASE("top_p keeps as many of the likeliest as reach it") {
  CHECK(shares({.top_p = 0.4}).size() == 1);
  CHECK(shares({.top_p = 0.6}).size() == 2);
  CHECK(shares({.top_p = 0.8}).size() == 3);
  CHECK(shares({.top_k = 2, .top_p = 0.99}).size() == 2);
}

TEST_CASE("logits of any size sample without overflow") {
  lintel::Rng random(1);
  const std::vector<float> huge = {-3e38f, 3e38f, -std::numeric_limits<float>::infinity()};
  for (int i = 0; i < 100; ++i) CHECK(sample_token(huge, {.temperature = 1e-3}, random) == 1);
}

TEST_CASE("options and logits that mean nothing are errors") {
  lintel::Rng random(1);
  auto error = [&](const SamplingOptions& options) {
    return error_of([&] { (void)sample_token(logits, options, random); });
  };
  CHECK(contains(error({.temperature = -1}), "temperature"));
  CHECK(contains(error({.temperature = std::nan("")}), "temperature"));
  CHECK(contains(error({.top_k = -1}), "top_k"));
  CHECK(contains(error({.top_p = 0}), "top_p"));
  CHECK(contains(error({.top_p = 1.5}), "top_p"));
  const std::vector<float> broken = {0, std::nanf("")};
  CHECK(contains(error_of([&] { (void)sample_token(broken, {}, random); }), "NaN"));
  CHECK(contains(error_of([&] { (void)sample_token({}, {}, random); }), "no logits"));
}
