// Softmax attention, the plain form that kernel attention approximates.
#pragma once

#include <lintel/core/tensor.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel {

struct SoftmaxAttentionOptions {
  /// Query i sees keys j ≤ i of its sequence; queries and keys must then have the same lengths.
  bool causal = false;
  /// What scores are multiplied with; 0 stands for 1/√m.
  double scale = 0;
};

/// For each head and each sequence, o_i = Σ_j softmax_j(scale·q_i·k_j) v_j, j over the keys that i sees.
/// q (…, H, m), k (…, H, m), v (…, H, d) → (…, H, d). The leading axes, (T) or (B, N), hold the rows that `queries` and
/// `keys` divide into sequences, the i-th of one with the i-th of the other; they may differ (cross attention). float32
/// or float64, one type for all.
///
/// Blocks of queries meet blocks of keys, with the softmax taken as it goes: time O(N²), memory O(1) for each thread
/// beside inputs and outputs. When causal, hidden keys of the same block are multiplied with 0, so that a NaN or
/// infinity in their values passes. Rows outside every sequence, and queries of a sequence without keys, give 0 and
/// receive gradients of 0. Saves the inputs, the output, and two numbers for each row and head, from which the backward
/// pass computes the weights again. Throws `Error` for other shapes or types, for sequences that do not fit the rows or
/// each other, or a scale that is negative or not finite. Source: Vaswani et al., "Attention is all you need", arXiv
/// 1706.03762; block by block: Milakov, Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867; Dao
/// et al., "FlashAttention", arXiv 2205.14135.
Tensor softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& queries,
                         const Sequences& keys, const SoftmaxAttentionOptions& options = {});

}  // namespace lintel
