// Layer normalisation.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Normalises each row of the last axis, then scales and shifts it:
///   y = (x − mean)/√(variance + epsilon) ⊙ weight + bias,   mean and (biased) variance over the row.
/// x (…, h), weight (h), bias (h) → (…, h). float32 or float64, one type for all. Saves x, and two numbers a row.
/// Throws `Error` for a scalar x, a parameter of another shape or type, or an epsilon that is not positive.
/// Source: Ba, Kiros, Hinton, "Layer normalization", arXiv 1607.06450.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon = 1e-6);

}  // namespace lintel
