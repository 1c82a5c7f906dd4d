// What the op table does not ask: what an op keeps alive, which buffers are shared, ties, and the extremes of a type.
#include <doctest/doctest.h>

#include <cmath>

#include <lintel/autograd/tape.hpp>
#include <lintel/autograd/transforms.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/index.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/sequences.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {

namespace {

using Values = std::vector<float>;

Values values_of(const Tensor& x) { return {x.values<float>().begin(), x.values<float>().end()}; }

bool all_finite(const Tensor& x) {
  for (const float value : x.values<float>()) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("activations stay finite for every finite input, with their first and second derivatives") {
  const Tensor x({13}, Values{-3e38f, -1e20f, -1e10f, -1000, -90, -20, -1e-30f, 20, 90, 1000, 1e10f, 1e20f, 3e38f});
  using Function = Tensor (*)(const Tensor&);
  const Function activations[] = {
      [](const Tensor& at) { return tanh(at); },
      [](const Tensor& at) { return erf(at); },
      [](const Tensor& at) { return sigmoid(at); },
      [](const Tensor& at) { return softplus(at); },
      [](const Tensor& at) { return relu(at); },
      [](const Tensor& at) { return gelu(at); },
      [](const Tensor& at) { return gelu(at, GeluForm::tanh); },
      [](const Tensor& at) { return silu(at); },
      [](const Tensor& at) { return elu(at); },
  };
  int number = 0;
  for (const Function f : activations) {
    CAPTURE(number);
    ++number;
    const Tensor cotangent = ones(x.shape());
    const auto first = [&](const Tensor& at) { return vjp(f)(at, cotangent); };
    CHECK(all_finite(f(x)));
    CHECK(all_finite(first(x)));
    CHECK(all_finite(vjp(first)(x, cotangent)));
  }
}

TEST_CASE("an op that no tape watches is not recorded, and a constant factor is all that a product saves") {
  const Tensor x = ones({1000}), constant = ones({1000}), other = ones({1000});
  Tape tape;
  tape.watch(x);
  (void)exp(mul(other, constant));
  CHECK(tape.records().empty());
  (void)mul(x, constant);
  (void)matmul(reshape(x, {10, 100}), ones({100, 1}));
  for (const Record& record : tape.records()) {
    for (const SavedTensor& saved : record.saved) CHECK_FALSE(saved.tensor.shares_buffer_with(x));
  }
}

TEST_CASE("functions with a cheap derivative in terms of their value save only that") {
  const Tensor x = full({1000}, 0.5);
  Tape tape;
  tape.watch(x);
  const Tensor y = exp(tanh(x));
  CHECK(tape.saved_bytes() == 2 * x.bytes());
  CHECK(tape.records().front().saved.front().tensor.id() != x.id());
}

TEST_CASE("equal elements share the derivative of a maximum") {
  const Tensor x({4}, Values{1, 3, 3, 2});
  CHECK(values_of(grad([](const Tensor& at) { return max(at); })(x)) == Values{0, 0.5f, 0.5f, 0});
  const Tensor y({2}, Values{1, 2});
  CHECK(values_of(grad([&](const Tensor& at) { return sum(maximum(at, y)); })(Tensor({2}, Values{1, 1}))) ==
        Values{0.5f, 0});
  CHECK(values_of(grad([&](const Tensor& at) { return sum(minimum(at, y)); })(Tensor({2}, Values{1, 1}))) ==
        Values{0.5f, 1});
}

TEST_CASE("derivatives at a kink are those of the documentation") {
  const Tensor zero({1}, Values{0});
  CHECK(values_of(grad([](const Tensor& at) { return sum(abs(at)); })(zero)) == Values{0});
  CHECK(values_of(grad([](const Tensor& at) { return sum(relu(at)); })(zero)) == Values{0});
  CHECK(values_of(grad([](const Tensor& at) { return sum(elu(at, 0.5)); })(zero)) == Values{0.5f});
}

TEST_CASE("long float32 sums keep their precision") {
  const std::int64_t count = 10'000'000;
  const Tensor x = full({count}, 0.1);
  const double exact = static_cast<double>(0.1f) * static_cast<double>(count);
  CHECK(sum(x).item() == doctest::Approx(exact).epsilon(1e-5));
  CHECK(sum(reshape(x, {-1, 2}), {0}).values<float>()[1] == doctest::Approx(exact / 2).epsilon(1e-5));
  CHECK(segment_sum(reshape(x, {-1, 1}), Sequences::padded(1, count)).item() == doctest::Approx(exact).epsilon(1e-5));
}

TEST_CASE("reshape and slices of the first axis share the buffer under a new identity; other slices copy") {
  const Tensor x = ones({4, 3});
  CHECK(reshape(x, {3, 4}).shares_buffer_with(x));
  CHECK(slice(x, 0, 1, 3).shares_buffer_with(x));
  CHECK_FALSE(slice(x, 1, 1, 3).shares_buffer_with(x));
  CHECK(reshape(x, {4, 3}).id() != x.id());
  CHECK(slice(x, 0, 0, 4).id() != x.id());
  CHECK(sum_to(x, {4, 3}).id() != x.id());
}

TEST_CASE("moving and picking elements works for every type") {
  const Tensor integers = reshape(arange(0, 6), {2, 3});
  const Tensor truths = to(integers, DType::boolean), halves = to(integers, DType::bfloat16);
  for (const Tensor& x : {integers, truths, halves}) {
    const Tensor there_and_back = transpose(transpose(x));
    CHECK(to(there_and_back, DType::float32).values<float>()[5] == to(x, DType::float32).values<float>()[5]);
    CHECK(concat({x, x}, 1).shape() == Shape{2, 6});
    CHECK(slice(x, 1, 1, 2).shape() == Shape{2, 1});
    CHECK(broadcast_to(x, {4, 2, 3}).dtype() == x.dtype());
    CHECK(gather(x, 1, zeros({2, 5}, DType::int64)).shape() == Shape{2, 5});
  }
  CHECK(transpose(integers).values<std::int64_t>()[1] == 3);
}

TEST_CASE("a cast's cotangent comes back in the type of its input") {
  const Tensor x({2}, std::vector<double>{1.5, 2.5});
  Tape tape;
  tape.watch(x);
  const Tensor gradient = tape.gradients(sum(square(to(x, DType::float32))))[x];
  CHECK(gradient.dtype() == DType::float64);
  CHECK(gradient.values<double>()[1] == 5);
  CHECK_FALSE(is_recording({to(x, DType::int64)}));
}

TEST_CASE("sequences tell where they begin and end") {
  const Packed packed = pack({{5, 6}, {}, {7}});
  CHECK(packed.ids.size() == 3);
  const Sequences sequences = Sequences::packed(packed.offsets);
  CHECK(sequences.count() == 3);
  CHECK(sequences.rows() == 3);
  CHECK(sequences.longest() == 2);
  CHECK(sequences.begin(2) == 2);
  CHECK(sequences.length(1) == 0);
  const Sequences padded = Sequences::padded(2, 4, {1, 3});
  CHECK(padded.rows() == 8);
  CHECK(padded.begin(1) == 4);
  CHECK(padded.end(1) == 7);
  CHECK(Sequences::padded(2, 4).longest() == 4);
}

}  // namespace lintel
