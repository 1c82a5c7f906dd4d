#include <doctest/doctest.h>

#include <lintel/core/memory.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/shape_ops.hpp>

#include "attention_by_loops.hpp"
#include "evaluate.hpp"
#include "with_settings.hpp"

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

/// Causal attention of one head of one sequence, token by token, in float64: with v' = (v, 1), S' = Σ φ(k) v'ᵀ on the
/// way to the last token and R' = Σ φ(q) dn'ᵀ on the way back. q, k (rows, heads, m), v and g (rows, heads, d).
class Recurrence {
 public:
  Recurrence(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& g)
      : heads_(q.size(1)), m_(q.size(2)), d_(v.size(2)), q_(q), k_(k), v_(v), g_(g) {}

  /// Fills the rows [begin, end) of o, dq, dk and dv.
  void run(std::int64_t head, std::int64_t begin, std::int64_t end, const Evaluation& result) const {
    std::vector<double> state(size(m_ * (d_ + 1)));
    std::vector<std::vector<double>> dn;  // dn', of each row
    for (std::int64_t row = begin; row < end; ++row) {
      add(at(k_, row, head), with_one(row, head), state);
      const std::vector<double> n = read(at(q_, row, head), state);
      const double denominator = n[size(d_)] + KernelAttentionOptions{}.epsilon;
      dn.emplace_back(size(d_ + 1));
      for (std::int64_t c = 0; c < d_; ++c) {
        const double o = n[size(c)] / denominator, g = at(g_, row, head)[c];
        to(result.value, row, head)[c] = o;
        dn.back()[size(c)] = g / denominator;
        dn.back()[size(d_)] -= g * o / denominator;
      }
      pull_back(dn.back(), state, to(result.gradients[0], row, head));
    }
    std::fill(state.begin(), state.end(), 0);
    for (std::int64_t row = end; row-- > begin;) {
      add(at(q_, row, head), dn[size(row - begin)], state);
      pull_back(with_one(row, head), state, to(result.gradients[1], row, head));
      const std::vector<double> dv = read(at(k_, row, head), state);
      std::copy_n(dv.begin(), d_, to(result.gradients[2], row, head));
    }
  }

 private:
  static std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }
  const double* at(const Tensor& x, std::int64_t row, std::int64_t head) const {
    return x.data<double>() + (row * heads_ + head) * x.size(2);
  }
  double* to(const Tensor& x, std::int64_t row, std::int64_t head) const {
    return write<double>(x, "test") + (row * heads_ + head) * x.size(2);
  }
  std::vector<double> with_one(std::int64_t row, std::int64_t head) const {
    std::vector<double> result(at(v_, row, head), at(v_, row, head) + d_);
    result.push_back(1);
    return result;
  }
  void add(const double* features, const std::vector<double>& values, std::vector<double>& state) const {
    for (std::int64_t i = 0; i < m_; ++i) {
      for (std::int64_t c = 0; c <= d_; ++c) state[size(i * (d_ + 1) + c)] += features[i] * values[size(c)];
    }
  }
  std::vector<double> read(const double* features, const std::vector<double>& state) const {
    std::vector<double> result(size(d_ + 1));
    for (std::int64_t i = 0; i < m_; ++i) {
      for (std::int64_t c = 0; c <= d_; ++c) result[size(c)] += features[i] * state[size(i * (d_ + 1) + c)];
    }
    return result;
  }
  void pull_back(const std::vector<double>& values, const std::vector<double>& state, double* features) const {
    for (std::int64_t i = 0; i < m_; ++i) {
      features[i] = 0;
      for (std::int64_t c = 0; c <= d_; ++c) features[i] += values[size(c)] * state[size(i * (d_ + 1) + c)];
    }
  }

  std::int64_t heads_, m_, d_;
  Tensor q_, k_, v_, g_;
};

/// What `evaluate` of causal attention should find.
Evaluation by_recurrence(const std::vector<Tensor>& x, const Sequences& sequences) {
  const auto same = [](const Tensor& of) { return zeros(of.shape(), DType::float64); };
  Rng rng(3);  // as in `evaluate`
  const Recurrence recurrence(x[0], x[1], x[2], uniform(x[2].shape(), -1, 1, rng, DType::float64));
  const Evaluation result{same(x[2]), {same(x[0]), same(x[1]), same(x[2])}};
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    for (std::int64_t head = 0; head < x[0].size(1); ++head) {
      recurrence.run(head, sequences.begin(i), sequences.end(i), result);
    }
  }
  return result;
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

TEST_CASE("a long causal sequence of few heads, which several threads share, gives what a recurrence gives") {
  struct Case {
    std::vector<std::int64_t> lengths;
    std::int64_t heads;
  };
  // Around the shortest that is cut, with three groups and more, between short ones, and two long ones.
  const std::vector<Case> cases = {{{300}, 2},          {{4096}, 1},  {{4097}, 1},
                                   {{20000}, 1},        {{12345}, 3}, {{700, 0, 13000, 3, 64, 0}, 1},
                                   {{5000, 9000, 1}, 1}};
  for (const auto& [lengths, heads] : cases) {
    CAPTURE(lengths.front());
    CAPTURE(heads);
    const Sequences sequences = sequences_of(lengths);
    const auto f = attention(sequences, sequences, {.causal = true});
    const auto x64 = attention_inputs(sequences.rows(), sequences.rows(), DType::float64, heads);
    const Evaluation exact = by_recurrence(x64, sequences);
    if (sequences.rows() < 500) CHECK(distance(evaluate_definition(f, x64), exact) < 1e-12);
    CHECK(distance(evaluate(f, x64), exact) < 1e-12);
    CHECK(distance(evaluate(f, attention_inputs(sequences.rows(), sequences.rows(), DType::float32, heads)), exact) <
          1e-5);
  }
}

TEST_CASE("the gradient of one input alone is that of all in a long causal sequence") {
  const Sequences sequences = sequences_of({13000});
  const auto x = attention_inputs(13000, 13000, DType::float64, 1);
  const Evaluation all = evaluate(attention(sequences, sequences, {.causal = true}), x);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto f = [&](const std::vector<Tensor>& one) {
      std::vector<Tensor> inputs = x;
      inputs[i] = one[0];
      return attention(sequences, sequences, {.causal = true})(inputs);
    };
    const Evaluation alone = evaluate(f, {x[i]});
    CHECK(distance(alone.value, all.value) == 0);
    CHECK(distance(alone.gradients[0], all.gradients[i]) == 0);
  }
}

TEST_CASE("a long causal sequence of one head is the work of several threads, with the same bits for any number") {
  const Sequences sequences = sequences_of({10, 40000, 700});
  const auto f = attention(sequences, sequences, {.causal = true});
  const auto x = attention_inputs(sequences.rows(), sequences.rows(), DType::float32, 1);
  const auto with_threads = [&](int count) {
    const lintel_test::WithThreads threads(count);
    f(x);
    CHECK(threads_used_last() == count);
    return evaluate(f, x);
  };
  const Evaluation alone = with_threads(1);
  for (const int count : {2, 7}) CHECK(distance(with_threads(count), alone) == 0);
}

TEST_CASE("what is computed once more in a cut causal sequence is counted") {
  const auto recomputed = [](const std::vector<std::int64_t>& lengths) {
    const Sequences sequences = sequences_of(lengths);
    const auto x = attention_inputs(sequences.rows(), sequences.rows(), DType::float32, 1);
    Tape tape;
    for (const Tensor& part : x) tape.watch(part);
    attention(sequences, sequences, {.causal = true})(x);
    return tape.records().back().recomputed_flops;
  };
  // Rows and chunks are the same. Only the one sequence is cut, at two borders; 4,096 rows are summed before each and
  // behind each, with m·(d + 1) multiply-adds a row.
  const double cut = recomputed({3 * 4096}), whole = recomputed(std::vector<std::int64_t>(3, 4096));
  CHECK(cut - whole == 2 * 2 * 4096 * 2 * 5 * (3 + 1));
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
