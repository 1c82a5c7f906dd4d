// The position-wise feedforward networks of a Transformer block, from their input to their result in one pass.
#pragma once

#include <lintel/core/tensor.hpp>
#include <lintel/ops/activation.hpp>
#include <lintel/ops/dropout.hpp>

namespace lintel {

struct FeedForwardOptions {
  Activation activation = Activation::gelu;
  DropoutMask hidden_dropout = {};  ///< of f(u), or f(u) ⊙ v (…, mlp)
  DropoutMask output_dropout = {};  ///< of the result (…, out), before the residual
  /// Keep nothing of the size of u for the backward pass, and compute u, and v, once more there: in a training step a
  /// sixth more products, or two ninths where there is a v, for sequences whose u would not fit the memory.
  bool recompute = false;
};

/// y = dropout(dropout(f(u)) downᵀ + down_bias) + residual with u = x upᵀ + up_bias.
/// x (…, in), up (mlp, in), up_bias (mlp), down (out, mlp), down_bias (out), residual (…, out) → (…, out). The biases
/// and the residual may be `Tensor()` for none. float32 or float64, one type for all.
/// Blocks of rows go through all of it while they lie in the caches, so that f(u) is never an array. Where a tape
/// records, u is (or f(u), where f' follows from that: relu and tanh), unless `recompute` is set; x and the weights are
/// saved besides. The masks are those of `dropout` over all of f(u) and all of the result.
/// Throws `Error` for a scalar x, when sizes or types do not fit, or for a rate outside [0, 1).
/// Source: Vaswani et al., "Attention is all you need", 2017.
Tensor feed_forward(const Tensor& x, const Tensor& up, const Tensor& up_bias, const Tensor& down,
                    const Tensor& down_bias, const Tensor& residual = Tensor(), const FeedForwardOptions& options = {});

/// The gated form: y = dropout(dropout(f(u) ⊙ v) downᵀ + down_bias) + residual with u = x gateᵀ + gate_bias and
/// v = x upᵀ + up_bias; SwiGLU where f is silu.
/// gate and up (mlp, in), their biases (mlp), all else as for `feed_forward`. Neither f(u) nor f(u) ⊙ v is ever an
/// array; where a tape records, u and v are, unless `recompute` is set.
/// Source: Shazeer, "GLU variants improve Transformer", arXiv 2002.05202.
Tensor gated_feed_forward(const Tensor& x, const Tensor& gate, const Tensor& gate_bias, const Tensor& up,
                          const Tensor& up_bias, const Tensor& down, const Tensor& down_bias,
                          const Tensor& residual = Tensor(), const FeedForwardOptions& options = {});

}  // namespace lintel
