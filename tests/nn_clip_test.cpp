// The norm of all gradients, and its bound; accumulation over micro-batches.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/nn/clip.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/reduce.hpp>

#include "file_helpers.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

struct TwoGradients {
  Tensor a = zeros({2}), b = zeros({1}, DType::float64);
  Gradients gradients;
  TwoGradients(float first, float second, double third) {
    gradients.set(a, Tensor({2}, {first, second}));
    gradients.set(b, Tensor({1}, {third}));
  }
};

}  // namespace

TEST_CASE("the global norm is over all gradients together") {
  TwoGradients two(2, 3, 6);
  CHECK(nn::global_norm(two.gradients) == doctest::Approx(7));
  CHECK(nn::global_norm(Gradients()) == 0);
}

TEST_CASE("a norm above the maximum scales all gradients alike, and the norm before is returned") {
  TwoGradients two(2, 3, 6);
  CHECK(nn::clip_global_norm(two.gradients, 1) == doctest::Approx(7));
  CHECK(two.gradients[two.a].data<float>()[1] == doctest::Approx(3.0 / 7).epsilon(1e-5));
  CHECK(two.gradients[two.b].item() == doctest::Approx(6.0 / 7).epsilon(1e-5));
  CHECK(nn::global_norm(two.gradients) == doctest::Approx(1).epsilon(1e-5));
}

TEST_CASE("a norm below the maximum leaves the gradients as they are") {
  TwoGradients two(2, 3, 6);
  CHECK(nn::clip_global_norm(two.gradients, 8) == doctest::Approx(7));
  CHECK(two.gradients[two.b].item() == 6);
}

TEST_CASE("a norm that is not finite is returned, and the gradients stay") {
  TwoGradients two(2, std::numeric_limits<float>::infinity(), 6);
  CHECK(std::isinf(nn::clip_global_norm(two.gradients, 1)));
  CHECK(two.gradients[two.b].item() == 6);
  TwoGradients nan(2, 3, std::numeric_limits<double>::quiet_NaN());
  CHECK(std::isnan(nn::clip_global_norm(nan.gradients, 1)));
}

TEST_CASE("the factor of a norm is what clipping multiplies by, and 1 where there is nothing to clip") {
  CHECK(nn::clip_factor(7, 1) == 1 / (7 + 1e-6));
  CHECK(nn::clip_factor(0.5, 1) == 1);
  CHECK(nn::clip_factor(std::numeric_limits<double>::infinity(), 1) == 1);
  CHECK(nn::clip_factor(std::nan(""), 1) == 1);
  CHECK(contains(error_of([] { nn::clip_factor(1, -1); }), "clip_factor: maximum is -1, a positive number wanted"));
}

TEST_CASE("a norm that float32 cannot square is still found") {
  TwoGradients two(3e30F, 4e30F, 0);
  CHECK(nn::global_norm(two.gradients) == doctest::Approx(5e30));
}

TEST_CASE("a maximum that is not positive is refused") {
  TwoGradients two(2, 3, 6);
  CHECK(contains(error_of([&] { nn::clip_global_norm(two.gradients, 0); }), "clip_global_norm: maximum is 0"));
}

TEST_CASE("the norm has the same bits with any number of threads") {
  Rng rng(1);
  const Tensor x = zeros({1'000'000});
  Gradients gradients;
  gradients.set(x, normal({1'000'000}, 0, 1, rng));
  const auto norm = [&](int count) {
    const WithThreads with(count);
    return nn::global_norm(gradients);
  };
  CHECK(norm(1) == norm(7));
}

TEST_CASE("gradients of micro-batches add up to those of the whole batch") {
  Rng rng(1);
  const Tensor w = normal({3}, 0, 1, rng, DType::float64);
  const Tensor x = normal({4, 3}, 0, 1, rng, DType::float64);
  auto gradients_of = [&](const Tensor& rows) {
    Tape tape;
    tape.watch(w);
    return tape.gradients(mean(square(rows * w)));
  };
  Gradients sum = gradients_of(share_buffer(x, {2, 3}, 0));
  sum += gradients_of(share_buffer(x, {2, 3}, 6));
  sum.transform([](const Tensor& gradient) { return gradient / 2; });
  const Gradients whole = gradients_of(x);
  for (int i = 0; i < 3; ++i) CHECK(sum[w].data<double>()[i] == doctest::Approx(whole[w].data<double>()[i]));
}
