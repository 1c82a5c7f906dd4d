// Attention whose weights are products of positive features instead of exponentials: linear in the length.
#pragma once

#include <cstdint>

#include <lintel/core/tensor.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel {

/// The causal form goes through a sequence in chunks of so many tokens: longer ones spend more on the quadratic part
/// inside a chunk, shorter ones on carrying the state from chunk to chunk.
inline constexpr std::int64_t kernel_attention_chunk = 64;

struct KernelAttentionOptions {
  /// Query i sees keys j ≤ i of its sequence; queries and keys must then have the same lengths.
  bool causal = false;
  /// Added to the denominator: a row whose features are all 0 gives 0 instead of 0/0.
  double epsilon = 1e-6;
};

/// For each head and each sequence, with the features φ(q) and φ(k) as given,
///   o_i = Σ_j (φ(q_i)·φ(k_j)) v_j / (Σ_j φ(q_i)·φ(k_j) + epsilon),   j over the keys that i sees.
/// phi_q (…, H, m), phi_k (…, H, m), v (…, H, d) → (…, H, d). The leading axes, (T) or (B, N), hold the rows that
/// `queries` and `keys` divide into sequences, the i-th of one with the i-th of the other; they may differ (cross
/// attention). float32 or float64, one type for all.
///
/// By associativity the sum is φ(q_i)ᵀ·S with S = Σ_j φ(k_j) v_jᵀ (m, d): time O(N·m·d), memory O(m·d) beside inputs
/// and outputs. When causal, hidden keys of the same chunk are multiplied with 0, so that a NaN or infinity in their
/// values passes. Rows outside every sequence, and queries of a sequence without keys, give 0 and receive gradients of
/// 0. Saves the inputs, the output and one number for each row and head. Throws `Error` for other shapes or types, for
/// sequences that do not fit the rows or each other, or an epsilon that is not positive. Source: Katharopoulos et al.,
/// "Transformers are RNNs", arXiv 2006.16236; the chunked form: Hua et al., "Transformer quality in linear time", arXiv
/// 2202.10447.
Tensor kernel_attention(const Tensor& phi_q, const Tensor& phi_k, const Tensor& v, const Sequences& queries,
                        const Sequences& keys, const KernelAttentionOptions& options = {});

}  // namespace lintel
