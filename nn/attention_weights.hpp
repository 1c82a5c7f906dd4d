// Attention as matrices, to be looked at: what no model computes, because it is of size N×N.
#pragma once

#include <vector>

#include <lintel/nn/block.hpp>

namespace lintel::nn {

/// With which weights the tokens of one sequence see each other: (heads, N, N), row i those of query i.
struct AttentionWeights {
  /// φ(q_i)·φ(k_j) / (Σ_j φ(q_i)·φ(k_j) + ε) over the keys that i sees, the weights that kernel attention implies, as
  /// shares whatever its normaliser; a
  /// row sums to D/(D + ε). Undefined where the attention is softmax attention.
  Tensor kernel;
  /// softmax_j(q_i·k_j / √head_dim) of the same queries and keys.
  Tensor softmax;
};

/// The weights of `attention` over the rows of x (N, hidden), one sequence. Throws `Error` for another shape.
AttentionWeights attention_weights(const Attention& attention, const Tensor& x, bool causal = false);

/// Those of the attention in block `layer`, counted from 0, when x (N, hidden), one sequence, goes through `blocks`.
/// Throws `Error` when there is no such block.
AttentionWeights attention_weights(const std::vector<TransformerBlock>& blocks, std::int64_t layer, const Tensor& x,
                                   bool causal = false);

}  // namespace lintel::nn
