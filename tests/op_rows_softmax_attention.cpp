// Rows of ops/softmax_attention.hpp.
#include <cmath>

#include <lintel/ops/softmax_attention.hpp>

#include "attention_by_loops.hpp"
#include "op_table.hpp"

namespace lintel::op_table {

namespace {

OpRow attention_row(const char* variant, const Sequences& queries, const Sequences& keys,
                    const SoftmaxAttentionOptions& options, std::vector<Sample> samples) {
  return {.op = "softmax_attention",
          .variant = variant,
          .call = [=](const Tensors& x) { return softmax_attention(x[0], x[1], x[2], queries, keys, options); },
          .samples = std::move(samples),
          .fused = true,
          .reference =
              [=](const Tensors& x) {
                const double scale =
                    options.scale > 0 ? options.scale : 1 / std::sqrt(static_cast<double>(x[0].size(-1)));
                return attention_by_loops(x[0], x[1], x[2], queries, keys, options.causal, 0,
                                          [=](double product) { return std::exp(scale * product); });
              }};
}

/// For rows with padding, or with keys that no query sees: what stands there may hold anything.
OpRow with_unseen_inputs(OpRow row) {
  row.nan_may_vanish = {0, 1, 2};
  return row;
}

}  // namespace

std::vector<OpRow> rows_of_softmax_attention() {
  const Sequences packed = sequences_of({3, 0, 1});
  const Sequences padded = Sequences::padded(2, 3, {2, 3});
  const Sequences many = sequences_of({200, 30, 300, 70, 129, 64, 1, 206});
  const Sample small = {normal_input({4, 2, 3}), normal_input({4, 2, 3}), normal_input({4, 2, 2})};
  const Sample large = {normal_input({1000, 4, 17}), normal_input({1000, 4, 17}), normal_input({1000, 4, 16})};
  OpRow plain = attention_row("", packed, packed, {}, {small});
  plain.errors = {{"softmax_attention: the queries (5, 2, 3) have 5 rows, their sequences 4",
                   [] {
                     const Tensor x = zeros({5, 2, 3});
                     softmax_attention(x, x, x, sequences_of({4}), sequences_of({5}));
                   }},
                  {"softmax_attention: scale is -1, a positive number wanted, or 0 for the default", [] {
                     const Tensor x = zeros({5, 2, 3});
                     softmax_attention(x, x, x, sequences_of({5}), sequences_of({5}), {.scale = -1});
                   }}};
  OpRow large_row = attention_row("many sequences", many, many, {}, {});
  OpRow large_causal_row = attention_row("many sequences, causal", many, many, {.causal = true}, {});
  large_row.large = large_causal_row.large = large;
  return {
      plain,
      attention_row("causal", packed, packed, {.causal = true, .scale = 0.5}, {small}),
      with_unseen_inputs(
          attention_row("padded", padded, padded, {},
                        {{normal_input({2, 3, 1, 3}), normal_input({2, 3, 1, 3}), normal_input({2, 3, 1, 2})}})),
      with_unseen_inputs(attention_row("cross", packed, sequences_of({2, 3, 0}), {},
                                       {{normal_input({4, 1, 3}), normal_input({5, 1, 3}), normal_input({5, 1, 2})}})),
      attention_row("empty", sequences_of({}), sequences_of({}), {},
                    {{normal_input({0, 1, 3}), normal_input({0, 1, 3}), normal_input({0, 1, 2})}}),
      large_row,
      large_causal_row};
}

}  // namespace lintel::op_table
