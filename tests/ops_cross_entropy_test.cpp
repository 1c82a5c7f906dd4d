#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <lintel/core/memory.hpp>
#include <lintel/ops/cross_entropy.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/linear_cross_entropy.hpp>

#include "evaluate.hpp"

using namespace lintel;

namespace {

Tensor labels_of(const std::vector<std::int64_t>& labels) {
  return Tensor({static_cast<std::int64_t>(labels.size())}, labels);
}

Evaluation loss_of(const Tensor& logits, const std::vector<std::int64_t>& labels,
                   const CrossEntropyOptions& options = {}) {
  const Tensor label = labels_of(labels);
  return evaluate([&](const std::vector<Tensor>& x) { return cross_entropy(x[0], label, options); }, {logits});
}

}  // namespace

TEST_CASE("equal logits cost the logarithm of the number of classes") {
  CHECK(loss_of(zeros({2, 10}), {0, 9}).value.item() == doctest::Approx(std::log(10.0)));
}

TEST_CASE("the loss is 0 and has gradients of 0 when every row is ignored, or there is none") {
  for (const bool none : {false, true}) {
    const Evaluation result = none ? loss_of(zeros({0, 3}), {}) : loss_of(full({2, 3}, 5), {-100, -100});
    CHECK(result.value.item() == 0);
    CHECK(is_zero(result.gradients[0], 0, none ? 0 : 2));
  }
}

TEST_CASE("an ignored row changes neither the mean nor receives a gradient") {
  Rng rng(1);
  const Tensor logits = normal({3, 5}, 0, 1, rng, DType::float64);
  const Evaluation result = loss_of(logits, {4, 2, 0}, {.ignore_index = 2});
  const double two_rows =
      (loss_of(logits, {4, -100, -100}).value.item() + loss_of(logits, {-100, -100, 0}).value.item()) / 2;
  CHECK(result.value.item() == doctest::Approx(two_rows).epsilon(1e-12));
  CHECK(is_zero(result.gradients[0], 1, 2));
  CHECK_FALSE(is_zero(result.gradients[0], 0, 1));
}

TEST_CASE("an ignore index that is a class's number is ignored before it is checked") {
  CHECK(cross_entropy(zeros({1, 3}), labels_of({1000}), {.ignore_index = 1000}).item() == 0);
}

TEST_CASE("logits of 10,000 keep the loss and its gradients exact") {
  // Rows (10000, 9999, −10000): what counts are the differences.
  const Tensor logits({1, 3}, {1e4f, 9999.f, -1e4f});
  const Evaluation result = loss_of(logits, {1}, {.label_smoothing = 0});
  CHECK(result.value.item() == doctest::Approx(1 + std::log1p(std::exp(-1.0))).epsilon(1e-6));
  CHECK(is_finite(result));
  CHECK(is_finite(loss_of(full({2, 3}, 1e-40), {0, 1})));
  CHECK(is_finite(loss_of(logits, {2}, {.label_smoothing = 0.1})));
}

TEST_CASE("a class excluded by minus infinity costs nothing, in the first chunk of a row and in a later one") {
  const double excluded = -std::numeric_limits<double>::infinity();
  const std::int64_t classes = 3000;
  Tensor logits = full({1, classes}, excluded, DType::float64);
  write<double>(logits, "test")[2500] = 1;
  write<double>(logits, "test")[2501] = 1;
  const Evaluation result = loss_of(logits, {2500});
  CHECK(result.value.item() == doctest::Approx(std::log(2.0)));
  CHECK(is_finite(result));
}

TEST_CASE("a long row is summed in chunks whose maxima rise and fall") {
  const std::int64_t classes = 5000;
  std::vector<double> values(classes);
  double sum = 0;
  for (std::int64_t c = 0; c < classes; ++c) {
    values[static_cast<std::size_t>(c)] = 30 * std::sin(0.001 * static_cast<double>(c));
    sum += std::exp(values[static_cast<std::size_t>(c)]);
  }
  const Tensor logits({1, classes}, values);
  CHECK(loss_of(logits, {7}).value.item() == doctest::Approx(std::log(sum) - values[7]).epsilon(1e-12));
}

TEST_CASE("the loss of a linear layer is that of its logits, over several blocks of rows and of classes") {
  Rng rng(3);
  for (const std::int64_t classes : {700, 2500}) {
    const Tensor x = normal({3100, 6}, 0, 1, rng, DType::float64), bias = normal({classes}, 0, 1, rng, DType::float64);
    const Tensor weight = normal({classes, 6}, 0, 1, rng, DType::float64), labels = zeros({3100}, DType::int64);
    for (std::int64_t i = 0; i < 3100; ++i) write<std::int64_t>(labels, "test")[i] = rng.below(classes);
    const CrossEntropyOptions options{.ignore_index = 5, .label_smoothing = 0.1};
    const Evaluation fused = evaluate(
        [&](const std::vector<Tensor>& in) { return linear_cross_entropy(in[0], in[1], in[2], labels, options); },
        {x, weight, bias});
    const Evaluation apart = evaluate(
        [&](const std::vector<Tensor>& in) { return cross_entropy(linear(in[0], in[1], in[2]), labels, options); },
        {x, weight, bias});
    CHECK(distance(fused, apart) < 1e-12);
  }
}

TEST_CASE("the gradient of a weight that nobody watched can still be asked for, and a loss can be scaled") {
  const Tensor x = full({2, 3}, 1), weight = full({4, 3}, 0.5), labels = labels_of({0, 3});
  Tape tape;
  tape.watch(x);
  const Tensor loss = linear_cross_entropy(x, weight, Tensor(), labels);
  const Gradients unwatched = tape.gradients(loss, {weight}, {.keep = true});
  CHECK(unwatched[weight].data<float>()[0] == doctest::Approx(-0.25));
  const Gradients scaled = tape.gradients(loss, {x, weight}, {.seeds = {scalar(2)}});
  CHECK(scaled[weight].data<float>()[0] == doctest::Approx(-0.5));
}

TEST_CASE("the loss of a linear layer needs less than a quarter of the memory of its logits") {
  const std::int64_t rows = 4096, classes = 20000;
  const Tensor x = full({rows, 8}, 1), weight = full({classes, 8}, 0.01), labels = zeros({rows}, DType::int64);
  Tape tape;
  tape.watch(x);
  tape.watch(weight);
  const std::int64_t before = memory_statistics().live;
  reset_peak_memory();
  (void)tape.gradients(linear_cross_entropy(x, weight, Tensor(), labels));
  CHECK(memory_statistics().peak - before < rows * classes * 4 / 4);
}

TEST_CASE("the product inside of linear_cross_entropy counts among the flops of a step") {
  const Tensor x = ones({6, 5}), weight = ones({7, 5}), labels = zeros({6}, DType::int64);
  Tape tape;
  tape.watch(weight);
  linear_cross_entropy(x, weight, Tensor(), labels);
  CHECK(tape.records().back().flops == 2.0 * 6 * 7 * 5);
}
