// Root mean square normalisation.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Divides each row of the last axis by its root mean square, then scales it:
///   y = x/√(mean(x²) + epsilon) ⊙ weight.
/// x (…, h), weight (h) → (…, h). float32 or float64, one type for both. Saves x, and one number a row.
/// Throws `Error` for a scalar x, a weight of another shape or type, or an epsilon that is not positive.
/// Source: Zhang, Sennrich, "Root mean square layer normalization", arXiv 1910.07467.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon = 1e-6);

}  // namespace lintel
