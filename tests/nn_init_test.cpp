// First values of weights.
#include <doctest/doctest.h>

#include <cmath>
#include <lintel/nn/init.hpp>

#include "file_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

/// max |Σ_k a[i, k]·a[j, k] − (i == j)| over the rows of a matrix; the columns' when `by_columns`.
double distance_from_orthonormal(const double* matrix, std::int64_t out, std::int64_t in, bool by_columns) {
  const std::int64_t vectors = by_columns ? in : out, length = by_columns ? out : in;
  auto element = [&](std::int64_t vector, std::int64_t k) {
    return by_columns ? matrix[k * in + vector] : matrix[vector * in + k];
  };
  double worst = 0;
  for (std::int64_t i = 0; i < vectors; ++i) {
    for (std::int64_t j = 0; j < vectors; ++j) {
      double product = 0;
      for (std::int64_t k = 0; k < length; ++k) product += element(i, k) * element(j, k);
      worst = std::max(worst, std::abs(product - (i == j ? 1 : 0)));
    }
  }
  return worst;
}

double mean_of(const Tensor& x) {
  double total = 0;
  for (const double value : x.values<double>()) total += value;
  return total / static_cast<double>(x.size());
}

double deviation_of(const Tensor& x) {
  double squares = 0;
  for (const double value : x.values<double>()) squares += value * value;
  return std::sqrt(squares / static_cast<double>(x.size()) - mean_of(x) * mean_of(x));
}

}  // namespace

TEST_CASE("an identity has ones where row and column are equal, in every matrix, square or not") {
  for (const Shape& shape : {Shape{4, 3, 3}, Shape{2, 2, 5}, Shape{5, 2}, Shape{0, 3}}) {
    const std::int64_t out = shape[-2], in = shape[-1];
    const Tensor matrices = nn::identity(shape, DType::float64);
    CHECK(matrices.shape() == shape);
    for (std::int64_t i = 0; i < shape.size(); ++i) {
      CHECK(matrices.data<double>()[i] == (i / in % out == i % in ? 1 : 0));
    }
  }
  CHECK(contains(error_of([] { nn::identity({3}); }), "identity: shape (3,) has no matrix, (..., out, in) wanted"));
}

TEST_CASE("an orthogonal weight has W Wᵀ = I in every head") {
  Rng rng(1);
  const Tensor weight = nn::orthogonal({8, 64, 64}, rng, DType::float64);
  for (std::int64_t head = 0; head < 8; ++head) {
    CHECK(distance_from_orthonormal(weight.data<double>() + head * 64 * 64, 64, 64, false) < 1e-14);
  }
}

TEST_CASE("a wide orthogonal weight has orthonormal rows, a tall one orthonormal columns") {
  Rng rng(1);
  const Tensor wide = nn::orthogonal({5, 9}, rng, DType::float64), tall = nn::orthogonal({9, 5}, rng, DType::float64);
  CHECK(distance_from_orthonormal(wide.data<double>(), 5, 9, false) < 1e-14);
  CHECK(distance_from_orthonormal(tall.data<double>(), 9, 5, true) < 1e-14);
}

TEST_CASE("orthogonal weights are uniform: no element prefers a sign") {
  // Without the fix of signs, Householder's QR makes most diagonal elements of Q negative.
  Rng rng(1);
  const Tensor weight = nn::orthogonal({4000, 2, 2}, rng, DType::float64);
  const double* const elements = weight.data<double>();
  double trace = 0;
  for (std::int64_t i = 0; i < 4000; ++i) trace += elements[4 * i] + elements[4 * i + 3];
  CHECK(std::abs(trace / 8000) < 0.03);  // standard error √(1/2 / 8000) = 0.008
}

TEST_CASE("heads start with different matrices, and the same seed gives the same") {
  Rng rng(1), again(1), other(2);
  const Tensor weight = nn::orthogonal({2, 4, 4}, rng);
  const float* const elements = weight.data<float>();
  CHECK(elements[0] != elements[16]);
  CHECK(nn::orthogonal({2, 4, 4}, again).data<float>()[5] == elements[5]);
  CHECK(nn::orthogonal({2, 4, 4}, other).data<float>()[5] != elements[5]);
}

TEST_CASE("kaiming_normal has standard deviation √(2 / in)") {
  Rng rng(1);
  const Tensor weight = nn::kaiming_normal({4, 300, 50}, rng, DType::float64);
  CHECK(deviation_of(weight) == doctest::Approx(0.2).epsilon(0.02));
  CHECK(std::abs(mean_of(weight)) < 0.005);
}

TEST_CASE("xavier_uniform fills [−a, a) with a = √(6 / (in + out))") {
  Rng rng(1);
  const Tensor weight = nn::xavier_uniform({300, 84}, rng, DType::float64);
  const double limit = 0.125;
  double largest = 0;
  for (const double value : weight.values<double>()) largest = std::max(largest, std::abs(value));
  CHECK(largest <= limit);
  CHECK(largest > 0.99 * limit);
  CHECK(deviation_of(weight) == doctest::Approx(limit / std::sqrt(3.0)).epsilon(0.02));
}

TEST_CASE("a shape without a matrix is refused, an empty one is not") {
  Rng rng(1);
  CHECK(contains(error_of([&] { nn::orthogonal({4}, rng); }), "orthogonal: shape (4,) has no matrix"));
  CHECK(contains(error_of([&] { nn::kaiming_normal({4}, rng); }), "kaiming_normal: shape (4,) has no matrix"));
  CHECK(contains(error_of([&] { nn::xavier_uniform({}, rng); }), "xavier_uniform: shape () has no matrix"));
  CHECK(nn::orthogonal({0, 4, 4}, rng).size() == 0);
}
