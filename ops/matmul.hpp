// The matrix product as an op.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Which operand is read with its last two axes exchanged; no copy is made.
struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
};

/// (…, m, k) x (…, k, n) -> (…, m, n), (…, k, m) for a transposed a and (…, n, k) for a transposed b. The leading axes
/// are equal, one product for each of their places, or one operand has none and meets all of the other's matrices.
/// Throws `Error` for inner sizes or leading axes that differ, an operand of fewer than two axes, and types that differ
/// or are neither float32 nor float64.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

}  // namespace lintel
