// A linear layer.
#pragma once

#include <lintel/core/random.hpp>
#include <lintel/core/tensor.hpp>
#include <lintel/ops/activation.hpp>

namespace lintel::nn {

struct LinearOptions {
  bool bias = true;
};

/// y = f(x Wᵀ + b), with f an activation that is fused into the product.
struct Linear {
  Tensor weight;  ///< (out, in)
  Tensor bias;    ///< (out), or undefined

  /// Weights start as `xavier_uniform`, biases at zero. Throws `Error` for a size below 1.
  Linear(std::int64_t in, std::int64_t out, Rng& rng, const LinearOptions& options = {});

  /// x (…, in) → (…, out).
  Tensor operator()(const Tensor& x, Activation activation = Activation::none) const;

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

}  // namespace lintel::nn
