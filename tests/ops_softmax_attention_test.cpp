#include <doctest/doctest.h>

#include <lintel/core/memory.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/softmax_attention.hpp>

#include "attention_by_loops.hpp"
#include "evaluate.hpp"

using namespace lintel;

namespace {

std::vector<Tensor> normal_inputs(std::int64_t query_rows, std::int64_t key_rows, DType dtype, double size = 1) {
  Rng rng(13);
  return {normal({query_rows, 2, 5}, 0, size, rng, dtype), normal({key_rows, 2, 5}, 0, size, rng, dtype),
          normal({key_rows, 2, 3}, 0, size, rng, dtype)};
}

TensorFunction attention(const Sequences& queries, const Sequences& keys, bool causal) {
  return [=](const std::vector<Tensor>& x) {
    return softmax_attention(x[0], x[1], x[2], queries, keys, {.causal = causal});
  };
}

Tensor by_loops(const std::vector<Tensor>& x, const Sequences& queries, const Sequences& keys, bool causal) {
  return attention_by_loops(x[0], x[1], x[2], queries, keys, causal, 0,
                            [](double product) { return std::exp(product / std::sqrt(5.0)); });
}

}  // namespace

TEST_CASE("softmax attention equals plain loops in float64, for lengths around its blocks") {
  const Sequences sequences = sequences_of({0, 1, 63, 64, 65, 200});
  for (const bool causal : {false, true}) {
    CAPTURE(causal);
    const auto f = attention(sequences, sequences, causal);
    const auto x64 = normal_inputs(sequences.rows(), sequences.rows(), DType::float64);
    const auto x32 = normal_inputs(sequences.rows(), sequences.rows(), DType::float32);
    const Evaluation exact = evaluate_definition(f, x64);
    CHECK(distance(f(x64), by_loops(x64, sequences, sequences, causal)) < 1e-12);
    CHECK(distance(f(x32), by_loops(x32, sequences, sequences, causal)) < 1e-5);
    CHECK(distance(evaluate(f, x64), exact) < 1e-12);
  }
}

TEST_CASE("softmax attention equals plain loops for lengths around its blocks of keys and stretches of queries") {
  for (const std::int64_t length : {255, 256, 257, 511, 512, 513, 1100, 2049}) {
    for (const bool causal : {false, true}) {
      CAPTURE(length);
      CAPTURE(causal);
      const Sequences sequences = sequences_of({length});
      const auto f = attention(sequences, sequences, causal);
      std::vector<Tensor> x = normal_inputs(length, length, DType::float64);
      x[1] = x[1] * 3;  // so that the largest score is found late in some rows, and early in others
      const Evaluation exact = evaluate_definition(f, x);
      CHECK(distance(f(x), by_loops(x, sequences, sequences, causal)) < 1e-12);
      CHECK(distance(evaluate(f, x), exact) < 1e-12);
    }
  }
}

TEST_CASE("queries attend by softmax to keys of other lengths") {
  const Sequences queries = sequences_of({4, 100, 1, 70}), keys = sequences_of({2, 9, 70, 1300});
  const auto f = attention(queries, keys, false);
  const auto x = normal_inputs(queries.rows(), keys.rows(), DType::float64);
  CHECK(distance(f(x), by_loops(x, queries, keys, false)) < 1e-12);
  CHECK(distance(evaluate(f, x), evaluate_definition(f, x)) < 1e-12);
}

TEST_CASE("padding neither counts nor receives gradients in softmax attention") {
  const Sequences padded = Sequences::padded(2, 70, {66, 0}), alone = sequences_of({66});
  for (const bool causal : {false, true}) {
    CAPTURE(causal);
    const auto x = normal_inputs(140, 140, DType::float64);
    std::vector<Tensor> own;
    for (const Tensor& part : x) own.push_back(slice(part, 0, 0, 66));
    const Evaluation result = evaluate(attention(padded, padded, causal), x);
    CHECK(distance(slice(result.value, 0, 0, 66), attention(alone, alone, causal)(own)) == 0);
    CHECK(is_zero(result.value, 66, 140));
    for (const Tensor& gradient : result.gradients) CHECK(is_zero(gradient, 66, 140));
  }
}

TEST_CASE("queries without keys give 0 and receive gradients of 0 in softmax attention") {
  const Sequences queries = sequences_of({2, 3}), keys = sequences_of({0, 4});
  const Evaluation result = evaluate(attention(queries, keys, false), normal_inputs(5, 4, DType::float32));
  CHECK(is_finite(result));
  CHECK(is_zero(result.value, 0, 2));
  CHECK(is_zero(result.gradients[0], 0, 2));
  CHECK_FALSE(is_zero(result.value, 2, 5));
}

TEST_CASE("softmax attention stays finite for inputs of 10,000 and denormal ones") {
  const Sequences sequences = sequences_of({70});
  for (const double size : {1e4, 1e-40}) {
    for (const bool causal : {false, true}) {
      CAPTURE(size);
      CHECK(is_finite(evaluate(attention(sequences, sequences, causal), normal_inputs(70, 70, DType::float32, size))));
    }
  }
}

TEST_CASE("softmax attention never stores all weights") {
  const std::int64_t length = 4000;
  const Sequences sequences = sequences_of({length});
  const auto x = normal_inputs(length, length, DType::float32);
  reset_peak_memory();
  const std::int64_t before = memory_statistics().live;
  evaluate(attention(sequences, sequences, false), x);
  CHECK(memory_statistics().peak - before < length * length);  // a quarter of one matrix of weights
}
