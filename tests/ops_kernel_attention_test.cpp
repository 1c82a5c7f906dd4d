#include <doctest/doctest.h>

#include <lintel/core/memory.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/shape_ops.hpp>

#include "attention_by_loops.hpp"
#include "evaluate.hpp"

using namespace lintel;

namespace {

/// Features of queries and keys (rows, heads, m), positive, and values (rows, heads, d).
std::vector<Tensor> attention_inputs(std::int64_t query_rows, std::int64_t key_rows, DType dtype,
                                     std::int64_t heads = 2, std::int64_t m = 5, std::int64_t d = 3) {
  Rng rng(11);
  return {uniform({query_rows, heads, m}, 0, 1, rng, dtype), uniform({key_rows, heads, m}, 0, 1, rng, dtype),
          normal({key_rows, heads, d}, 0, 1, rng, dtype)};
}

TensorFunction attention(const Sequences& queries, const Sequences& keys, const KernelAttentionOptions& options) {
  return [=](const std::vector<Tensor>& x) { return kernel_attention(x[0], x[1], x[2], queries, keys, options); };
}

Tensor by_loops(const std::vector<Tensor>& x, const Sequences& queries, const Sequences& keys, bool causal) {
  return attention_by_loops(x[0], x[1], x[2], queries, keys, causal, KernelAttentionOptions{}.epsilon,
                            [](double product) { return product; });
}

constexpr std::int64_t chunk = kernel_attention_chunk;
const std::vector<std::int64_t> lengths_around_chunks = {0, 1, 2, chunk - 1, chunk, chunk + 1, 3 * chunk + 5};

/// q, k, v of so many rows and 2 heads, and the parameters of a map of two layers.
std::vector<Tensor> inputs_with_map(std::int64_t rows) {
  Rng rng(7);
  std::vector<Tensor> x{normal({rows, 2, 4}, 0, 1, rng, DType::float64),
                        normal({rows, 2, 4}, 0, 1, rng, DType::float64),
                        normal({rows, 2, 3}, 0, 1, rng, DType::float64)};
  for (int layer = 0; layer < 2; ++layer) {
    const Tensor weight = normal({2, 4, 4}, 0, 0.5, rng, DType::float64);
    const Tensor gate = normal({2, 4, 4}, 0, 0.5, rng, DType::float64);
    x.insert(x.end(), {weight, Tensor(), gate, Tensor(), Tensor()});
  }
  return x;
}
std::vector<FeatureMapLayer> map_of(const std::vector<Tensor>& x) {
  return {{FeatureActivation::none, x[3], x[4], x[5], x[6], x[7]},
          {FeatureActivation::softplus, x[8], x[9], x[10], x[11], x[12]}};
}

}  // namespace

TEST_CASE("causal chunks give what the quadratic form gives, for lengths around their borders") {
  for (const std::int64_t length : lengths_around_chunks) {
    CAPTURE(length);
    const Sequences sequences = sequences_of({length});
    const auto f = attention(sequences, sequences, {.causal = true});
    const auto x64 = attention_inputs(length, length, DType::float64);
    const Evaluation exact = evaluate_definition(f, x64);
    CHECK(distance(evaluate(f, x64), exact) < 1e-12);
    CHECK(distance(by_loops(x64, sequences, sequences, true), exact.value) < 1e-12);
    CHECK(distance(evaluate(f, attention_inputs(length, length, DType::float32)), exact) < 1e-5);
  }
}

TEST_CASE("the linear form gives what the quadratic form gives, for lengths around its blocks") {
  for (const std::int64_t length : {0, 1, 2, 255, 256, 257, 600}) {
    CAPTURE(length);
    const Sequences sequences = sequences_of({length});
    const auto f = attention(sequences, sequences, {});
    const auto x64 = attention_inputs(length, length, DType::float64);
    const Evaluation exact = evaluate_definition(f, x64);
    CHECK(distance(evaluate(f, x64), exact) < 1e-12);
    CHECK(distance(by_loops(x64, sequences, sequences, false), exact.value) < 1e-12);
    CHECK(distance(evaluate(f, attention_inputs(length, length, DType::float32)), exact) < 1e-5);
  }
}

TEST_CASE("a feature map inside of attention gives what features given to it do") {
  std::vector<Sequences> cases;
  // One sequence, around blocks and pieces; short ones, which share a block; short ones with gaps between them.
  for (const std::int64_t length : {0, 1, 2, 255, 257, 511, 512, 513, 600, 9000})
    cases.push_back(sequences_of({length}));
  cases.push_back(sequences_of({1, 24, 0, 100, 130, 2, 1, 256, 257, 3, 511, 1, 512, 40}));
  cases.push_back(sequences_of(std::vector<std::int64_t>(50, 24)));
  cases.push_back(Sequences::padded(5, 30, {30, 30, 7, 30, 0}));
  for (const Sequences& sequences : cases) {
    for (const bool causal : {false, true}) {
      const std::int64_t rows = sequences.rows();
      CAPTURE(rows);
      CAPTURE(sequences.count());
      CAPTURE(causal);
      const std::vector<Tensor> x = inputs_with_map(rows);
      const auto inside = [&](const std::vector<Tensor>& p) {
        return kernel_attention(p[0], p[1], p[2], sequences, sequences, {.causal = causal}, map_of(p));
      };
      const auto given = [&](const std::vector<Tensor>& p) {
        Tensor q = p[0], k = p[1];
        for (const FeatureMapLayer& layer : map_of(p)) {
          q = layer(q);
          k = layer(k);
        }
        return kernel_attention(q, k, p[2], sequences, sequences, {.causal = causal});
      };
      const Evaluation exact = evaluate(given, x);
      CHECK(distance(evaluate(inside, x), exact) < 1e-12);
      if (rows < 2000) CHECK(distance(evaluate_definition(inside, x), exact) < 1e-12);
      std::vector<Tensor> x32;
      for (const Tensor& part : x) x32.push_back(part.defined() ? convert(part, DType::float32) : part);
      CHECK(distance(evaluate(inside, x32), exact) < 1e-5);
    }
  }
}

TEST_CASE("packed sequences, padded ones with lengths, and one sequence at a time give the same") {
  const std::vector<std::int64_t> lengths = {70, 3, 0, 66};
  const std::int64_t longest = 70, batch = 4, heads = 2;
  const Sequences packed = sequences_of(lengths), padded = Sequences::padded(batch, longest, lengths);
  for (const bool causal : {false, true}) {
    CAPTURE(causal);
    const auto x = attention_inputs(packed.rows(), packed.rows(), DType::float64);
    std::vector<Tensor> x_padded;  // what stands in the padding must not matter
    for (const Tensor& part : x) {
      Tensor wide = full({batch * longest, heads, part.size(-1)}, 1e6, DType::float64);
      for (std::int64_t s = 0; s < batch; ++s) {
        const std::int64_t row = heads * part.size(-1);
        std::copy_n(part.data<double>() + packed.begin(s) * row, packed.length(s) * row,
                    write<double>(wide, "test") + padded.begin(s) * row);
      }
      x_padded.push_back(wide);
    }
    const auto of_packed = attention(packed, packed, {.causal = causal});
    const Evaluation whole = evaluate(of_packed, x);
    // The cotangent of the padded form: that of the packed one, in its place.
    Tape tape;
    for (const Tensor& part : x_padded) tape.watch(part);
    const Tensor o = kernel_attention(
        reshape(x_padded[0], {batch, longest, heads, -1}), reshape(x_padded[1], {batch, longest, heads, -1}),
        reshape(x_padded[2], {batch, longest, heads, -1}), padded, padded, {.causal = causal});
    REQUIRE(o.shape() == Shape{batch, longest, heads, 3});
    Rng rng(3);
    const Tensor u = uniform(whole.value.shape(), -1, 1, rng, DType::float64);
    Tensor u_padded = full(o.shape(), 7, DType::float64);
    for (std::int64_t s = 0; s < batch; ++s) {
      std::copy_n(u.data<double>() + packed.begin(s) * heads * 3, packed.length(s) * heads * 3,
                  write<double>(u_padded, "test") + padded.begin(s) * heads * 3);
    }
    const Gradients gradients = tape.gradients(o, x_padded, {.seeds = {u_padded}});
    const Tensor o_flat = reshape(o, {batch * longest, heads, 3});
    for (std::int64_t s = 0; s < batch; ++s) {
      CAPTURE(s);
      const auto rows = [&](const Tensor& t) { return slice(t, 0, packed.begin(s), packed.end(s)); };
      const auto padded_rows = [&](const Tensor& t) { return slice(t, 0, padded.begin(s), padded.end(s)); };
      const Sequences alone = sequences_of({lengths[static_cast<std::size_t>(s)]});
      const std::vector<Tensor> own = {rows(x[0]), rows(x[1]), rows(x[2])};
      CHECK(distance(kernel_attention(own[0], own[1], own[2], alone, alone, {.causal = causal}), rows(whole.value)) ==
            0);
      CHECK(distance(padded_rows(o_flat), rows(whole.value)) == 0);
      CHECK(is_zero(o_flat, padded.end(s), (s + 1) * longest));
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(distance(padded_rows(gradients[x_padded[i]]), rows(whole.gradients[i])) == 0);
        CHECK(is_zero(gradients[x_padded[i]], padded.end(s), (s + 1) * longest));
      }
    }
  }
}

TEST_CASE("queries may attend to keys of other lengths") {
  const Sequences queries = sequences_of({4, 1, 300}), keys = sequences_of({2, 280, 9});
  const auto f = attention(queries, keys, {});
  const auto x = attention_inputs(queries.rows(), keys.rows(), DType::float64);
  CHECK(distance(evaluate(f, x), evaluate_definition(f, x)) < 1e-12);
  CHECK(distance(f(x), by_loops(x, queries, keys, false)) < 1e-12);
}

TEST_CASE("queries that see no key give 0 and receive gradients of 0") {
  const Sequences queries = sequences_of({2, 3}), keys = sequences_of({0, 4});
  const Evaluation result =
      evaluate(attention(queries, keys, {}), attention_inputs(queries.rows(), keys.rows(), DType::float32));
  CHECK(is_finite(result));
  CHECK(is_zero(result.value, 0, 2));
  CHECK(is_zero(result.gradients[0], 0, 2));
  CHECK_FALSE(is_zero(result.value, 2, 5));
}

TEST_CASE("keys masked after the feature map leave finite gradients") {
  const Sequences sequences = sequences_of({3});
  for (const bool causal : {false, true}) {
    auto x = attention_inputs(3, 3, DType::float32);
    x[1] = zeros(x[1].shape());
    const Evaluation result = evaluate(attention(sequences, sequences, {.causal = causal}), x);
    CHECK(is_finite(result));
    CHECK(is_zero(result.value, 0, 3));
    CHECK(is_zero(result.gradients[0], 0, 3));
    CHECK(is_zero(result.gradients[2], 0, 3));
  }
}

TEST_CASE("features of 10,000 and denormal features give finite values and gradients") {
  const Sequences sequences = sequences_of({130});
  for (const double size : {1e4, 1e-40}) {
    for (const bool causal : {false, true}) {
      CAPTURE(size);
      Rng rng(5);
      const std::vector<Tensor> x = {uniform({130, 2, 5}, 0, size, rng), uniform({130, 2, 5}, 0, size, rng),
                                     uniform({130, 2, 3}, -size, size, rng)};
      CHECK(is_finite(evaluate(attention(sequences, sequences, {.causal = causal}), x)));
    }
  }
}

TEST_CASE("memory grows with the length, not with its square, nor with length times state") {
  const std::int64_t length = 4000, m = 64, d = 64;
  const Sequences sequences = sequences_of({length});
  for (const bool causal : {false, true}) {
    const auto x = attention_inputs(length, length, DType::float32, 1, m, d);
    reset_peak_memory();
    const std::int64_t before = memory_statistics().live;
    evaluate(attention(sequences, sequences, {.causal = causal}), x);
    // The output, its cotangent, three gradients and the denominators; half as much again for the working memory.
    const std::int64_t needed = length * (2 * d + 2 * m + d + 1) * 4;
    CHECK(memory_statistics().peak - before < needed + needed / 2);
  }
}
