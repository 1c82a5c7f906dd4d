// Attention as matrices, compared with the definition in float64 and with what the layers find.
#include <doctest/doctest.h>

#include <cmath>

#include <lintel/nn/attention_weights.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

constexpr std::int64_t tokens = 70, hidden = 8, heads = 2, head_dim = 4;  // more than one chunk of causal attention

using Row = std::vector<double>;

/// Row `i` of a matrix that begins `offset` elements into x.
Row row_of(const Tensor& x, std::int64_t i, std::int64_t width, std::int64_t offset = 0) {
  const float* const begin = x.data<float>() + offset + i * width;
  return {begin, begin + width};
}

double product(const Row& a, const Row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// W x + b of the rows first … first + count − 1 of a layer.
Row affine(const Tensor& weight, const Tensor& bias, const Row& x, std::int64_t first, std::int64_t count) {
  Row y;
  const auto width = static_cast<std::int64_t>(x.size());
  for (std::int64_t i = first; i < first + count; ++i) {
    y.push_back(product(row_of(weight, i, width), x) + bias.data<float>()[i]);
  }
  return y;
}

/// softplus(Wu + b) ⊙ σ(Gu + c) with the matrices of a head, which are rows head·head_dim and on of all heads'.
Row glu(const nn::GluFeatureLayer& layer, const Row& u, std::int64_t head) {
  Row features = affine(layer.weight, layer.bias, u, head * head_dim, head_dim);
  const Row gate = affine(layer.gate, layer.gate_bias, u, head * head_dim, head_dim);
  for (std::size_t i = 0; i < features.size(); ++i) {
    features[i] = std::log1p(std::exp(features[i])) / (1 + std::exp(-gate[i]));
  }
  return features;
}

/// `score(i, j)` over the keys that a query sees, divided by their sum plus epsilon.
template <class Score>
Row normalised(std::int64_t i, bool causal, double epsilon, const Score& score) {
  Row weights(static_cast<std::size_t>(tokens));
  double sum = epsilon;
  for (std::int64_t j = 0; j < (causal ? i + 1 : tokens); ++j) sum += weights[static_cast<std::size_t>(j)] = score(j);
  for (double& weight : weights) weight /= sum;
  return weights;
}

double largest_difference(const Tensor& weights, std::int64_t head, std::int64_t i, const Row& wanted) {
  const Row found = row_of(weights, i, tokens, head * tokens * tokens);
  double largest = 0;
  for (std::size_t j = 0; j < found.size(); ++j) largest = std::max(largest, std::abs(found[j] - wanted[j]));
  return largest;
}

double sum_of_row(const Tensor& weights, std::int64_t head, std::int64_t i) {
  return product(row_of(weights, i, tokens, head * tokens * tokens), Row(static_cast<std::size_t>(tokens), 1));
}

/// Σ_j w_ij v_j of each head, read out by `o`: what attention with these weights gives.
template <class SomeAttention>
Tensor found_with(const SomeAttention& attention, const Tensor& weights, const Tensor& x) {
  const Tensor values = attention.v(x), found = zeros({tokens, hidden});
  auto* const to = write<float>(found, "test");
  const std::int64_t shared_by = heads / attention.kv_heads;
  for (std::int64_t i = 0; i < tokens; ++i) {
    for (std::int64_t c = 0; c < hidden; ++c) {
      const std::int64_t head = c / head_dim, column = head / shared_by * head_dim + c % head_dim;
      double sum = 0;
      for (std::int64_t j = 0; j < tokens; ++j) {
        sum += double(weights.data<float>()[(head * tokens + i) * tokens + j]) *
               double(values.data<float>()[j * values.size(1) + column]);
      }
      to[i * hidden + c] = static_cast<float>(sum);
    }
  }
  return attention.o(found);
}

}  // namespace

TEST_CASE("the weights of kernel attention and the softmax of the same queries and keys are those of their formulas") {
  Rng rng(1);
  const nn::Attention attention(hidden, heads, rng, nn::KernelAttentionConfig{.feature_map = "glu", .bias = true});
  randomise(attention, rng);
  const auto& kernel = std::get<nn::KernelAttention>(attention.kind);
  const auto& layer = std::get<nn::GluFeatureLayer>(kernel.feature_map.layers[0]);
  const Tensor x = normal({tokens, hidden}, 0, 1, rng);
  for (const bool causal : {false, true}) {
    const nn::AttentionWeights weights = nn::attention_weights(attention, x, causal);
    CHECK(weights.kernel.shape() == Shape{heads, tokens, tokens});
    CHECK(weights.softmax.shape() == Shape{heads, tokens, tokens});
    for (std::int64_t head = 0; head < heads; ++head) {
      std::vector<Row> queries, keys, query_features, key_features;
      for (std::int64_t i = 0; i < tokens; ++i) {
        const Row row = row_of(x, i, hidden);
        queries.push_back(affine(kernel.q.weight, kernel.q.bias, row, head * head_dim, head_dim));
        keys.push_back(affine(kernel.k.weight, kernel.k.bias, row, head * head_dim, head_dim));
        query_features.push_back(glu(layer, queries.back(), head));
        key_features.push_back(glu(layer, keys.back(), head));
      }
      for (std::int64_t i = 0; i < tokens; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const Row implied = normalised(i, causal, 1e-6, [&](std::int64_t j) {
          return product(query_features[at], key_features[static_cast<std::size_t>(j)]);
        });
        const Row softmax = normalised(i, causal, 0, [&](std::int64_t j) {
          return std::exp(product(queries[at], keys[static_cast<std::size_t>(j)]) / std::sqrt(double(head_dim)));
        });
        CHECK(largest_difference(weights.kernel, head, i, implied) < 1e-6);
        CHECK(largest_difference(weights.softmax, head, i, softmax) < 1e-6);
      }
    }
  }
}

TEST_CASE("with these weights every attention finds what it finds, whatever its map, positions and shared heads") {
  std::vector<nn::AttentionConfig> configs = {nn::SoftmaxAttentionConfig{}};
  for (const std::string& kind : nn::feature_map_kinds()) {
    if (kind != "identity") configs.push_back(nn::KernelAttentionConfig{.feature_map = kind});
  }
  Rng rng(2);
  const Tensor x = normal({tokens, hidden}, 0, 1, rng);
  for (const nn::AttentionConfig& config : configs) {
    for (const bool causal : {false, true}) {
      const nn::Attention attention(hidden, heads, rng, config, {.kv_heads = 1, .rotary_base = 100});
      const nn::AttentionWeights weights = nn::attention_weights(attention, x, causal);
      const Tensor wanted = attention(x, Sequences::padded(1, tokens), causal);
      const Tensor found = std::visit(
          [&](const auto& kind) {
            return found_with(kind, weights.kernel.defined() ? weights.kernel : weights.softmax, x);
          },
          attention.kind);
      CHECK(lintel_test::largest_difference(found, wanted) < 1e-5);
      CHECK(weights.kernel.defined() == std::holds_alternative<nn::KernelAttention>(attention.kind));
      for (std::int64_t head = 0; head < heads; ++head) {
        for (std::int64_t i = 0; i < tokens; ++i) {
          CHECK(sum_of_row(weights.softmax, head, i) == doctest::Approx(1).epsilon(1e-5));
          if (weights.kernel.defined()) CHECK(sum_of_row(weights.kernel, head, i) < 1 + 1e-5);
        }
      }
    }
  }
}

TEST_CASE("weights are shares whatever divides in the model, and weights of both signs have none") {
  Rng rng(2);
  const Tensor x = normal({tokens, hidden}, 0, 1, rng);
  const auto attention_with = [](const nn::KernelAttentionConfig& config) {
    Rng same(3);
    return nn::Attention(hidden, heads, same, config);
  };
  const Tensor shares = nn::attention_weights(attention_with({}), x).kernel;
  CHECK(lintel_test::largest_difference(nn::attention_weights(attention_with({.normaliser = "rmsnorm"}), x).kernel,
                                        shares) == 0);
  CHECK(contains(
      error_of([&] { nn::attention_weights(attention_with({.feature_map = "identity", .normaliser = "sqrt_n"}), x); }),
      "the feature map identity gives weights of both signs"));
}

TEST_CASE("a layer's weights are those of what the layers before it make of the input") {
  Rng rng(3);
  const auto blocks = nn::make_blocks(3, {.hidden = hidden, .mlp = 8, .heads = heads}, rng);
  for (const nn::TransformerBlock& block : blocks) randomise(block, rng);
  const Tensor x = normal({tokens, hidden}, 0, 1, rng);
  const Sequences sequence = Sequences::padded(1, tokens);
  const Tensor input = blocks[2].norm1(blocks[1](blocks[0](x, sequence, true), sequence, true));
  CHECK(same_bits(nn::attention_weights(blocks, 2, x, true).kernel,
                  nn::attention_weights(blocks[2].attention, input, true).kernel));
  CHECK(error_of([&] { nn::attention_weights(blocks, 3, x); }) ==
        "attention_weights: there is no layer 3, the layers are 0 to 2");
  CHECK(contains(error_of([&] { nn::attention_weights(blocks, -1, x); }), "there is no layer -1"));
  CHECK(contains(error_of([&] {
                   nn::attention_weights(blocks, 0, zeros({1, 3, hidden}));
                 }),
                 "attention_weights: input has shape (1, 3, 8), (N, hidden) of one sequence wanted"));
}
