// Dropout of what the layers of a feature map read, inside of kernel_attention.
#include <doctest/doctest.h>

#include <lintel/core/memory.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_attention.hpp>

#include "attention_by_loops.hpp"
#include "evaluate.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

/// Features that go into the first layer, and out of each.
using Widths = std::vector<std::int64_t>;

constexpr std::int64_t heads = 3, head_dim = 4, rank = 2;

/// q, k, v, and the parameters of each layer as a tape sees them: weight, bias, gate or B, no bias of it, none or A.
std::vector<Tensor> inputs_of(std::int64_t query_rows, std::int64_t key_rows, const Widths& widths, bool lowrank) {
  Rng rng(5);
  const auto draw = [&](const Shape& shape, double size) { return normal(shape, 0, size, rng, DType::float64); };
  std::vector<Tensor> x{draw({query_rows, heads, widths[0]}, 1), draw({key_rows, heads, widths[0]}, 1),
                        draw({key_rows, heads, head_dim}, 1)};
  for (std::size_t i = 1; i < widths.size(); ++i) {
    const std::int64_t in = widths[i - 1], out = widths[i];
    const double size = 1 / std::sqrt(static_cast<double>(in));
    x.push_back(draw({heads, out, in}, size));
    x.push_back(draw({heads, out}, 0.5));
    x.push_back(lowrank ? draw({heads, out, rank}, 0.5) : draw({heads, out, in}, size));
    x.push_back(Tensor());
    x.push_back(lowrank ? draw({heads, rank, in}, size) : Tensor());
  }
  return x;
}

std::vector<FeatureMapLayer> map_of(const std::vector<Tensor>& x) {
  std::vector<FeatureMapLayer> map;
  for (std::size_t i = 3; i < x.size(); i += 5) {
    const FeatureActivation f = i + 5 == x.size() ? FeatureActivation::softplus : FeatureActivation::none;
    map.push_back({f, x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4]});
  }
  return map;
}

/// Masks with rates of their own, the second of keys 0.
FeatureMapDropout dropout_of(std::size_t layers) {
  FeatureMapDropout dropout;
  for (std::size_t i = 0; i < layers; ++i) {
    const auto key = static_cast<std::uint64_t>(i);
    dropout.queries.push_back({0.1 + 0.2 * static_cast<double>(i), 100 + key});
    dropout.keys.push_back({i == 1 ? 0 : 0.4, 200 + key});
  }
  return dropout;
}

/// Attention to features that are made as a whole, by ops that a tape sees.
Tensor with_whole_features(const std::vector<Tensor>& x, const Sequences& queries, const Sequences& keys, bool causal) {
  const std::vector<FeatureMapLayer> map = map_of(x);
  const FeatureMapDropout masks = dropout_of(map.size());
  Tensor q = x[0], k = x[1];
  for (std::size_t i = 0; i < map.size(); ++i) {
    q = map[i](dropout(q, masks.queries[i].rate, masks.queries[i].key));
    k = map[i](dropout(k, masks.keys[i].rate, masks.keys[i].key));
  }
  return kernel_attention(q, k, x[2], queries, keys, {.causal = causal});
}

Tensor with_dropout_inside(const std::vector<Tensor>& x, const Sequences& queries, const Sequences& keys, bool causal) {
  const std::vector<FeatureMapLayer> map = map_of(x);
  return kernel_attention(x[0], x[1], x[2], queries, keys, {.causal = causal, .dropout = dropout_of(map.size())}, map);
}

void check_same(const Sequences& queries, const Sequences& keys, bool causal, const Widths& widths, bool lowrank) {
  CAPTURE(queries.rows());
  CAPTURE(queries.count());
  CAPTURE(causal);
  CAPTURE(widths[0]);
  const std::vector<Tensor> x = inputs_of(queries.rows(), keys.rows(), widths, lowrank);
  const auto whole = [&](const std::vector<Tensor>& p) { return with_whole_features(p, queries, keys, causal); };
  const auto inside = [&](const std::vector<Tensor>& p) { return with_dropout_inside(p, queries, keys, causal); };
  const Evaluation exact = evaluate(whole, x);
  CHECK(distance(evaluate(inside, x), exact) < 1e-12);
  CHECK(distance(evaluate_definition(inside, x), exact) < 1e-12);
  std::vector<Tensor> x32;
  for (const Tensor& part : x) x32.push_back(part.defined() ? convert(part, DType::float32) : part);
  CHECK(distance(evaluate(inside, x32), exact) < 1e-4);
}

}  // namespace

TEST_CASE("dropout inside of the feature map drops what dropout of whole arrays does") {
  std::vector<Sequences> cases;
  for (const std::int64_t length : {0, 1, 2, 255, 257, 511, 513, 600}) cases.push_back(sequences_of({length}));
  cases.push_back(sequences_of({1, 24, 0, 100, 130, 2, 1, 256, 257, 3, 511, 1}));
  cases.push_back(Sequences::padded(5, 30, {30, 30, 7, 30, 0}));
  for (const Sequences& sequences : cases) {
    for (const bool causal : {false, true}) {
      // Sizes that are multiples of the four words of a random counter, and sizes that are not.
      check_same(sequences, sequences, causal, {8, 8}, false);
      check_same(sequences, sequences, causal, {5, 7, 6, 3}, true);
    }
  }
  check_same(sequences_of({4, 1, 300}), sequences_of({2, 280, 9}), false, {5, 7}, false);
}

TEST_CASE("dropout inside of the feature map is the same where several threads share a long causal sequence") {
  const Sequences sequences = sequences_of({9000});
  const std::vector<Tensor> x = inputs_of(9000, 9000, {5, 7}, false);
  const auto whole = [&](const std::vector<Tensor>& p) { return with_whole_features(p, sequences, sequences, true); };
  const auto inside = [&](const std::vector<Tensor>& p) { return with_dropout_inside(p, sequences, sequences, true); };
  CHECK(distance(evaluate(inside, x), evaluate(whole, x)) < 1e-12);
}

TEST_CASE("dropout inside of the feature map reaches features beyond the words of one call of the generator") {
  const Sequences sequences = sequences_of({3, 2});
  for (const std::int64_t width : {251, 252, 253, 256, 300, 513})
    check_same(sequences, sequences, true, {width, 4}, false);
}

TEST_CASE("a rate of 0 changes no bit, and queries and keys have masks of their own") {
  const Sequences sequences = sequences_of({70, 3});
  const std::vector<Tensor> x = inputs_of(73, 73, {8, 8}, false);
  const auto with = [&](const FeatureMapDropout& dropout) {
    return evaluate(
        [&](const std::vector<Tensor>& p) {
          return kernel_attention(p[0], p[1], p[2], sequences, sequences, {.causal = true, .dropout = dropout},
                                  map_of(p));
        },
        x);
  };
  const Evaluation without = with({});
  CHECK(distance(with({{{0, 3}}, {{0, 4}}}), without) == 0);
  CHECK(distance(with({{{0.5, 3}}, {}}), without) > 0.01);
  CHECK(distance(with({{}, {{0.5, 3}}}), with({{{0.5, 3}}, {}})) > 0.01);
}

TEST_CASE("dropout inside of the feature map needs no memory that grows with the length") {
  const WithThreads one(1);
  const std::int64_t length = 8000, features = 32;
  const Sequences sequences = sequences_of({length});
  const std::vector<Tensor> x = inputs_of(length, length, {features, features}, false);
  for (const bool causal : {false, true}) {
    const auto peak_with = [&](const FeatureMapDropout& dropout) {
      reset_peak_memory();
      const std::int64_t before = memory_statistics().live;
      evaluate(
          [&](const std::vector<Tensor>& p) {
            return kernel_attention(p[0], p[1], p[2], sequences, sequences, {.causal = causal, .dropout = dropout},
                                    map_of(p));
          },
          x);
      return memory_statistics().peak - before;
    };
    const std::int64_t without = peak_with({}), features_of_a_head = length * features * 8;
    CHECK(peak_with(dropout_of(1)) - without < features_of_a_head / 4);
  }
}
