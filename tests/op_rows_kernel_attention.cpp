// Rows of ops/kernel_attention.hpp.
#include <lintel/ops/kernel_attention.hpp>

#include "attention_by_loops.hpp"
#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// Positive features (rows, heads, size).
Input features(const Shape& shape) { return uniform_input(shape, 0.05, 1.5); }

OpRow attention_row(const char* variant, const Sequences& queries, const Sequences& keys,
                    const KernelAttentionOptions& options, std::vector<Sample> samples) {
  return {.op = "kernel_attention",
          .variant = variant,
          .call = [=](const Tensors& x) { return kernel_attention(x[0], x[1], x[2], queries, keys, options); },
          .samples = std::move(samples),
          .fused = true,
          .reference =
              [=](const Tensors& x) {
                return attention_by_loops(
                    x[0], x[1], x[2], queries, keys, options.causal, options.epsilon,
                    [](double product) { return product; }, options.normaliser == KernelNormaliser::sqrt_n);
              }};
}

/// q and k of size 3 go through two layers to 4 features: W, b, gate, gate bias, none; then W, none, B, none, A.
std::vector<FeatureMapLayer> layers_of(const Tensors& x) {
  return {{FeatureActivation::none, x[3], x[4], x[5], x[6], {}},
          {FeatureActivation::softplus, x[7], {}, x[8], {}, x[9]}};
}

/// φ as a whole array, with the inputs of its layers dropped: ops whose own rows prove them.
Tensor features_by_layers(const std::vector<FeatureMapLayer>& map, const std::vector<DropoutMask>& masks, Tensor x) {
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (!masks.empty()) x = dropout(x, masks[i].rate, masks[i].key);
    x = map[i](x);
  }
  return x;
}

OpRow mapped_row(const char* variant, const Sequences& sequences, const KernelAttentionOptions& options,
                 std::vector<Sample> samples) {
  return {.op = "kernel_attention",
          .variant = variant,
          .call =
              [=](const Tensors& x) {
                return kernel_attention(x[0], x[1], x[2], sequences, sequences, options, layers_of(x));
              },
          .samples = std::move(samples),
          .fused = true,
          .reference =
              [=](const Tensors& x) {
                const Tensor q = features_by_layers(layers_of(x), options.dropout.queries, x[0]);
                const Tensor k = features_by_layers(layers_of(x), options.dropout.keys, x[1]);
                return attention_by_loops(
                    q, k, x[2], sequences, sequences, options.causal, options.epsilon,
                    [](double product) { return product; }, options.normaliser == KernelNormaliser::sqrt_n);
              },
          .optional_inputs = {4, 6, 7, 9, 11}};
}

Sample mapped_sample(std::int64_t rows, std::int64_t heads, std::int64_t in, std::int64_t features) {
  const std::int64_t inner = in + 1, rank = 2;
  return {normal_input({rows, heads, in}),       normal_input({rows, heads, in}),
          normal_input({rows, heads, 2}),        normal_input({heads, inner, in}),
          normal_input({heads, inner}),          normal_input({heads, inner, in}),
          normal_input({heads, inner}),          normal_input({heads, features, inner}),
          normal_input({heads, features, rank}), normal_input({heads, rank, inner})};
}

/// Queries and keys of size 3 with maps of their own, of 8 features: two layers, and random features or pairs of
/// softmax.
OpRow untied_row(const char* variant, const Sequences& sequences, const KernelAttentionOptions& options) {
  const auto map = [](const Tensors& x) {
    return std::vector<FeatureMapLayer>{{FeatureActivation::gelu, x[3]}, {FeatureActivation::favor_query, x[4]}};
  };
  const auto key_map = [](const Tensors& x) {
    return std::vector<FeatureMapLayer>{{FeatureActivation::softmax_pair, x[5]}};
  };
  return {.op = "kernel_attention",
          .variant = variant,
          .call =
              [=](const Tensors& x) {
                return kernel_attention(x[0], x[1], x[2], sequences, sequences, options, map(x), key_map(x));
              },
          .samples = {{normal_input({4, 2, 3}), normal_input({4, 2, 3}), normal_input({4, 2, 2}),
                       normal_input({2, 5, 3}), normal_input({2, 4, 5}), normal_input({2, 4, 3})}},
          .fused = true,
          .reference =
              [=](const Tensors& x) {
                return attention_by_loops(features_by_layers(map(x), options.dropout.queries, x[0]),
                                          features_by_layers(key_map(x), options.dropout.keys, x[1]), x[2], sequences,
                                          sequences, options.causal, options.epsilon,
                                          [](double product) { return product; });
              }};
}

/// For rows with padding, with keys that no query sees, or with dropout: what stands there may hold anything.
OpRow with_unseen_inputs(OpRow row) {
  row.nan_may_vanish = {0, 1, 2};
  return row;
}

std::vector<ErrorCase> attention_errors() {
  static const Tensor q = zeros({5, 2, 3}), v = zeros({5, 2, 4});
  static const Sequences five = sequences_of({2, 3}), four = sequences_of({2, 2});
  return {{"kernel_attention: an input has shape (5, 3), (rows, heads, size) wanted",
           [] {
             kernel_attention(zeros({5, 3}), q, v, five, five);
           }},
          {"kernel_attention: queries (5, 1, 3) and keys (5, 2, 3) differ in the heads or the size of a head",
           [] {
             kernel_attention(zeros({5, 1, 3}), q, v, five, five);
           }},
          {"kernel_attention: keys (5, 2, 3) and values (4, 2, 4) differ before the last axis",
           [] {
             kernel_attention(q, q, zeros({4, 2, 4}), five, five);
           }},
          {"kernel_attention: the queries (5, 2, 3) have 5 rows, their sequences 4",
           [] { kernel_attention(q, q, v, four, five); }},
          {"kernel_attention: queries form 1 sequences, keys 2, one number wanted",
           [] { kernel_attention(q, q, v, sequences_of({5}), five); }},
          {"kernel_attention: sequence 0 has 3 queries and 2 keys, causal attention wants equal lengths",
           [] {
             kernel_attention(q, q, v, sequences_of({3, 2}), five, {.causal = true});
           }},
          {"kernel_attention: epsilon is 0, a positive number wanted",
           [] { kernel_attention(q, q, v, five, five, {.epsilon = 0}); }},
          {"kernel_attention: rate is 1, a number in [0, 1) wanted",
           [] {
             const FeatureMapLayer layer{FeatureActivation::none, zeros({2, 4, 3}), {}, {}, {}, {}};
             kernel_attention(q, q, v, five, five, {.dropout = {{{1, 7}}, {}}}, {layer});
           }},
          {"kernel_attention: dropout has 1 masks for keys, the map 0 layers; one for each wanted, or none",
           [] {
             kernel_attention(q, q, v, five, five, {.dropout = {{}, {{0.5, 7}}}});
           }},
          {"kernel_attention: weight has shape (2, 4, 5), (2, 4, 3) wanted for x (5, 2, 3)",
           [] {
             kernel_attention(q, q, v, five, five, {}, {{FeatureActivation::none, zeros({2, 4, 5}), {}, {}, {}, {}}});
           }},
          {"kernel_attention: the map of queries gives 4 features, that of keys 6",
           [] {
             kernel_attention(q, q, v, five, five, {}, {{FeatureActivation::none, zeros({2, 4, 3})}},
                              {{FeatureActivation::softmax_pair}});
           }},
          {"kernel_attention: an activation that makes pairs of features belongs into the last layer of a map",
           [] {
             kernel_attention(q, q, v, five, five, {}, {{FeatureActivation::favor_key}, {FeatureActivation::relu}});
           }},
          {"kernel_attention: inputs are float32 and float64, one type wanted; cast with to(x, dtype)", [] {
             kernel_attention(q, q, zeros({5, 2, 4}, DType::float64), five, five);
           }}};
}

}  // namespace

std::vector<OpRow> rows_of_kernel_attention() {
  const Sequences packed = sequences_of({3, 0, 1});
  const Sequences padded = Sequences::padded(2, 3, {2, 3});
  const Sequences many = sequences_of({200, 30, 300, 70, 129, 64, 1, 206});
  const Sample small = {features({4, 2, 3}), features({4, 2, 3}), normal_input({4, 2, 2})};
  OpRow plain = attention_row("", packed, packed, {}, {small});
  plain.errors = attention_errors();
  const Sample large = {features({1000, 4, 17}), features({1000, 4, 17}), normal_input({1000, 4, 16})};
  OpRow large_row = attention_row("many sequences", many, many, {}, {});
  OpRow large_causal_row = attention_row("many sequences, causal", many, many, {.causal = true}, {});
  large_row.large = large_causal_row.large = large;
  OpRow mapped_large = mapped_row("mapped, many sequences", many, {}, {});
  OpRow mapped_large_causal = mapped_row("mapped, many sequences, causal", many, {.causal = true}, {});
  mapped_large.large = mapped_large_causal.large = mapped_sample(1000, 4, 15, 17);
  mapped_large.float32_tolerance = mapped_large_causal.float32_tolerance = {1e-4, 1e-4};  // sums of 1,000 terms
  const KernelAttentionOptions root{.normaliser = KernelNormaliser::sqrt_n};
  const KernelAttentionOptions causal_root{.causal = true, .normaliser = KernelNormaliser::sqrt_n};
  // Where infinity is among the inputs, ∞·(a + b) and ∞·a + ∞·b agree for one sign only, and not for the empty state
  // that the causal form begins with.
  const Sample positive{features({4, 2, 3}), features({4, 2, 3}), features({4, 2, 2})};
  OpRow large_root_row = attention_row("many sequences, divided by the root, causal", many, many, causal_root, {});
  large_root_row.large = large;
  const Sequences long_one = sequences_of({100, 29000, 7});
  OpRow mapped_long_causal = mapped_row("mapped, a long sequence of one head, causal", long_one, {.causal = true}, {});
  mapped_long_causal.large = mapped_sample(long_one.rows(), 1, 3, 4);
  mapped_long_causal.float32_tolerance = {1e-3, 1e-3};  // sums of 29,000 terms
  const FeatureMapDropout drop{{{0.25, 7}, {0.5, 8}}, {{0.4, 9}, {0.1, 10}}};
  OpRow dropped_large = mapped_row("dropout, many sequences", many, {.dropout = drop}, {});
  OpRow dropped_large_causal =
      mapped_row("dropout, many sequences, causal", many, {.causal = true, .dropout = drop}, {});
  dropped_large.large = dropped_large_causal.large = mapped_large.large;
  dropped_large.float32_tolerance = dropped_large_causal.float32_tolerance = mapped_large.float32_tolerance;
  return {
      plain,
      attention_row("causal", packed, packed, {.causal = true}, {small}),
      with_unseen_inputs(attention_row("padded", padded, padded, {.epsilon = 0.1},
                                       {{features({2, 3, 1, 3}), features({2, 3, 1, 3}), normal_input({2, 3, 1, 2})}})),
      with_unseen_inputs(attention_row("padded, causal", padded, padded, {.causal = true},
                                       {{features({2, 3, 1, 3}), features({2, 3, 1, 3}), normal_input({2, 3, 1, 2})}})),
      with_unseen_inputs(attention_row("cross", packed, sequences_of({2, 3, 0}), {},
                                       {{features({4, 1, 3}), features({5, 1, 3}), normal_input({5, 1, 2})}})),
      attention_row("empty", sequences_of({}), sequences_of({}), {},
                    {{features({0, 1, 3}), features({0, 1, 3}), normal_input({0, 1, 2})}}),
      large_row,
      large_causal_row,
      mapped_row("mapped", packed, {}, {mapped_sample(4, 2, 3, 4)}),
      mapped_row("mapped, causal", packed, {.causal = true}, {mapped_sample(4, 2, 3, 4)}),
      mapped_large,
      mapped_large_causal,
      untied_row("maps of their own", packed, {}),
      untied_row("maps of their own, causal", packed, {.causal = true}),
      with_unseen_inputs(
          untied_row("maps of their own, dropout", packed, {.dropout = {{{0.25, 7}, {0.5, 8}}, {{0.4, 9}}}})),
      attention_row("divided by the root", packed, packed, root, {positive}),
      with_unseen_inputs(attention_row("divided by the root, cross", packed, sequences_of({2, 3, 0}), root,
                                       {{features({4, 1, 3}), features({5, 1, 3}), features({5, 1, 2})}})),
      large_root_row,
      mapped_long_causal,
      with_unseen_inputs(mapped_row("dropout", packed, {.dropout = drop}, {mapped_sample(4, 2, 3, 4)})),
      with_unseen_inputs(
          mapped_row("dropout, causal", packed, {.causal = true, .dropout = drop}, {mapped_sample(4, 2, 3, 4)})),
      dropped_large,
      dropped_large_causal};
}

}  // namespace lintel::op_table
