// Causal attention that goes on where it stopped: what it must remember of the tokens it has read, and how it reads
// further ones. A batch has `streams`, each with a memory of its own; sequence i of the rows belongs to stream i and
// may have any length, 0 included.
//
// Not ops: memories are written in place and nothing is recorded, so nothing can be differentiated.
#pragma once

#include <cstdint>

#include <lintel/core/tensor.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel {

/// What kernel attention remembers, m·(d + 1) numbers for each stream and head whatever the number of tokens.
struct KernelSums {
  Tensor matrix;  ///< S = Σ φ(k_j) v_jᵀ, (streams, H, m, d)
  Tensor vector;  ///< z = Σ φ(k_j), (streams, H, m)
};

/// What softmax attention remembers: the keys and values of all tokens, with room for more of them.
struct KeyValueCache {
  Tensor keys;    ///< (streams, G, capacity, m)
  Tensor values;  ///< (streams, G, capacity, d)
};

/// `kernel_attention`, causal, behind lengths[i] earlier tokens of stream i with their sums in `sums`, to which it adds
/// the new ones: phi_q, phi_k (T, H, m) and v (T, H, d) → (T, H, d). Goes in chunks of `kernel_attention_chunk` tokens,
/// where most of the work is products of matrices.
Tensor kernel_attention_prefill(const Tensor& phi_q, const Tensor& phi_k, const Tensor& v, const Sequences& sequences,
                                const std::int64_t* lengths, const KernelAttentionOptions& options,
                                const KernelSums& sums);

/// The same for one token of each stream: phi_q, phi_k (streams, H, m), v (streams, H, d) → (streams, H, d).
///   S ← S + φ(k) vᵀ, z ← z + φ(k), o = φ(q)ᵀS / (φ(q)·z + epsilon), or φ(q)ᵀS / √n behind n − 1 tokens.
Tensor kernel_attention_step(const Tensor& phi_q, const Tensor& phi_k, const Tensor& v, const std::int64_t* lengths,
                             const KernelAttentionOptions& options, const KernelSums& sums);

/// Writes k (T, G, m) and v (T, G, d) behind the lengths[i] tokens that `cache` holds of stream i. There must be room.
void append_to_cache(const Tensor& k, const Tensor& v, const Sequences& sequences, const std::int64_t* lengths,
                     const KeyValueCache& cache);

/// `softmax_attention`, causal, of the newest tokens, whose keys and values `cache` holds already, behind lengths[i]
/// earlier ones of stream i: q (T, H, m) → (T, H, d). Query head h reads the keys of head h·G/H.
Tensor softmax_attention_cached(const Tensor& q, const Sequences& sequences, const std::int64_t* lengths,
                                const KeyValueCache& cache);

}  // namespace lintel
