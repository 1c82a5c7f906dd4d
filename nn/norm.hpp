// Layers that normalise each row.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel::nn {

/// (x − mean) / √(variance + epsilon) ⊙ weight + bias over the last axis; see `lintel::layer_norm`.
struct LayerNorm {
  Tensor weight;  ///< (hidden), starts at one
  Tensor bias;    ///< (hidden), starts at zero
  double epsilon;

  /// Throws `Error` for a size below 1.
  explicit LayerNorm(std::int64_t hidden, double variance_epsilon = 1e-6);

  /// x (…, hidden) → the same shape.
  Tensor operator()(const Tensor& x) const;

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

/// x / √(mean of squares + epsilon) ⊙ weight over the last axis; see `lintel::rms_norm`.
struct RMSNorm {
  Tensor weight;  ///< (hidden), starts at one
  double epsilon;

  /// Throws `Error` for a size below 1.
  explicit RMSNorm(std::int64_t hidden, double square_epsilon = 1e-6);

  /// x (…, hidden) → the same shape.
  Tensor operator()(const Tensor& x) const;

  static void visit(auto& self, auto&& f) { f("weight", self.weight); }
};

}  // namespace lintel::nn
