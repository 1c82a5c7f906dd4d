#include <lintel/nn/attention_weights.hpp>
#include <lintel/nn/init.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/softmax_attention.hpp>

namespace lintel::nn {
namespace attention_weights_detail {

/// All rows of x (N, hidden).
Sequences one_sequence(const Tensor& x) {
  if (x.rank() != 2) fail("attention_weights: input has shape ", x.shape(), ", (N, hidden) of one sequence wanted");
  return Sequences::padded(1, x.size(0));
}

/// Values (n, heads, n), of which what a query finds is the row of its weights.
Tensor unit_values(std::int64_t n, std::int64_t heads, DType dtype) {
  return broadcast_to(reshape(identity({n, n}, dtype), {n, 1, n}), {n, heads, n});
}

/// (N, heads, N) → (heads, N, N).
Tensor by_head(const Tensor& found) { return permute(found, {1, 0, 2}); }

/// Whatever divides in the model: shares of the sum of weights.
Tensor kernel_weights(const KernelAttention& attention, const QueriesAndKeys& inputs, const Tensor& values,
                      const Sequences& sequence, bool causal) {
  if (std::holds_alternative<IdentityFeatureLayer>(attention.feature_map.layers.back())) {
    fail("attention_weights: the feature map identity gives weights of both signs, of which no shares can be shown");
  }
  return by_head(kernel_attention(attention.feature_map(inputs.queries),
                                  attention.feature_map(inputs.keys, std::nullopt, FeatureRole::key), values, sequence,
                                  sequence, {.causal = causal, .epsilon = attention.epsilon}));
}

}  // namespace attention_weights_detail

AttentionWeights attention_weights(const Attention& attention, const Tensor& x, bool causal) {
  const Sequences sequence = attention_weights_detail::one_sequence(x);
  const QueriesAndKeys inputs = attention.queries_and_keys(x, sequence);
  const Tensor values = attention_weights_detail::unit_values(x.size(0), inputs.queries.size(-2), x.dtype());
  AttentionWeights weights;
  weights.softmax = attention_weights_detail::by_head(
      softmax_attention(inputs.queries, inputs.keys, values, sequence, sequence, {.causal = causal}));
  if (const auto* const kernel = std::get_if<KernelAttention>(&attention.kind)) {
    weights.kernel = attention_weights_detail::kernel_weights(*kernel, inputs, values, sequence, causal);
  }
  return weights;
}

AttentionWeights attention_weights(const std::vector<TransformerBlock>& blocks, std::int64_t layer, const Tensor& x,
                                   bool causal) {
  const auto count = static_cast<std::int64_t>(blocks.size());
  if (layer < 0 || layer >= count) {
    fail("attention_weights: there is no layer ", layer, ", the layers are 0 to ", count - 1);
  }
  const Sequences sequence = attention_weights_detail::one_sequence(x);
  const std::vector<TransformerBlock> before(blocks.begin(), blocks.begin() + layer);
  const TransformerBlock& block = blocks[static_cast<std::size_t>(layer)];
  return attention_weights(block.attention, block.norm1(apply_blocks(before, x, sequence, causal)), causal);
}

}  // namespace lintel::nn
