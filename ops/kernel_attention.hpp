// Attention whose weights are products of positive features instead of exponentials: linear in the length.
#pragma once

#include <cstdint>

#include <vector>

#include <lintel/core/tensor.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel {

/// The causal form goes through a sequence in chunks of so many tokens: longer ones spend more on the quadratic part
/// inside a chunk, shorter ones on carrying the state from chunk to chunk.
inline constexpr std::int64_t kernel_attention_chunk = 64;

/// What the weighted sum of values is divided by.
enum class KernelNormaliser {
  sum,     ///< the sum of the weights plus epsilon: the result is a mean of values, if features are positive
  sqrt_n,  ///< √n for n keys that the query sees, whatever the features: SimpleTRON, arXiv 2111.15588
};

struct KernelAttentionOptions {
  /// Query i sees keys j ≤ i of its sequence; queries and keys must then have the same lengths.
  bool causal = false;
  /// Added to the denominator: a row whose features are all 0 gives 0 instead of 0/0.
  double epsilon = 1e-6;
  KernelNormaliser normaliser = KernelNormaliser::sum;
  /// Of what the layers of the map read.
  FeatureMapDropout dropout = {};
};

/// For each head and each sequence, with the feature map φ of `map` applied to q and k,
///   o_i = Σ_j (φ(q_i)·φ(k_j)) v_j / D_i,   D_i = Σ_j φ(q_i)·φ(k_j) + epsilon,   j over the keys that i sees;
/// with `KernelNormaliser::sqrt_n`, D_i is the root of their number.
/// q (…, H, in), k (…, H, in), v (…, H, d) → (…, H, d). `map` is a stack of layers from `in` to m features; without
/// layers φ(x) = x. Keys have a map of their own, of as many features, where `key_map` has layers. `dropout` of the
/// options acts on the input of each layer, with masks of queries and of keys, which are computed again where they are
/// needed. The leading axes, (T) or (B, N), hold the rows that `queries` and `keys`
/// divide into sequences, the i-th of one with the i-th of the other; they may differ (cross attention). float32 or
/// float64, one type for all.
///
/// By associativity the sum is φ(q_i)ᵀ·S with S = Σ_j φ(k_j) v_jᵀ (m, d): time O(N·m·d). Features are computed in
/// blocks of rows that fit the caches and never stored as a whole, nor is anything of size N×N. When causal, hidden
/// keys of the same chunk are multiplied with 0, so that a NaN or infinity in their values passes. Rows outside every
/// sequence, and queries of a sequence without keys, give 0 and receive gradients of 0. Saves the inputs, the output,
/// one number for each row and head, and states (S, Σ φ(k)) of m·(d + 1) numbers: one for each sequence and head, or
/// when causal for each 512 rows of it. Throws `Error` for other shapes or types, for sequences that do not fit the
/// rows or each other, an epsilon that is not positive, a rate outside [0, 1), masks that are not as many as layers, or
/// an activation that makes pairs of features before the last layer.
/// Source: Katharopoulos et al., "Transformers are RNNs", arXiv 2006.16236; the trained φ: Yorsh, Kovalenko, arXiv
/// 2211.04076; the chunked form: Hua et al., "Transformer quality in linear time", arXiv 2202.10447.
Tensor kernel_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& queries,
                        const Sequences& keys, const KernelAttentionOptions& options = {},
                        const std::vector<FeatureMapLayer>& map = {}, const std::vector<FeatureMapLayer>& key_map = {});

}  // namespace lintel
