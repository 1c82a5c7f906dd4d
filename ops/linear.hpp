// The linear layer, with bias and activation fused.
#pragma once

#include <lintel/core/tensor.hpp>
#include <lintel/ops/activation.hpp>

namespace lintel {

/// y = f(x Wᵀ + bias). x (…, in), weight (out, in), bias (out) or `Tensor()` for none → (…, out). float32 or float64,
/// one type for all. Saves x and the weight, and beside them what f' needs: y for relu and tanh, x Wᵀ + bias for the
/// gelus and silu. Throws `Error` for a scalar x, or when sizes or types do not fit.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation = Activation::none);

}  // namespace lintel
