// Layers that normalise each row.
#pragma once

#include <string>
#include <variant>

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

struct NormOptions {
  std::string kind = "layer";  ///< "layer" or "rms"
  double epsilon = 1e-6;
};

/// The norm that options ask for.
struct Norm {
  std::variant<LayerNorm, RMSNorm> kind;

  /// Throws `Error` for a size below 1 or an unknown kind (the choices are listed).
  explicit Norm(std::int64_t hidden, const NormOptions& options = {});

  /// x (…, hidden) → the same shape.
  Tensor operator()(const Tensor& x) const;

  static void visit(auto& self, auto&& f) {
    // Through to the members: which kind it is shall not show in their names.
    std::visit([&](auto& norm) { std::remove_cvref_t<decltype(norm)>::visit(norm, f); }, self.kind);
  }
};

}  // namespace lintel::nn
