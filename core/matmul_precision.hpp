// What the factors of matrix products are rounded to.
#pragma once

#include <lintel/core/dtype.hpp>

namespace lintel {

/// The type that the factors of float32 matrix products have on this thread: float32, or bfloat16 inside a
/// `MatmulPrecision` that says so. Sums are float32 in either case.
DType matmul_precision();

/// While it lives, products of float32 matrices round their factors to bfloat16 (nearest, ties to even) and sum in
/// float32, or with `DType::float32` do not. Products only: parameters, activations, reductions, norms, softmax and
/// the normaliser of kernel attention stay float32, float64 products are not touched.
///
/// It holds for this thread and for the tasks of `parallel_for` that it starts. A tape remembers the precision that an
/// op ran with, and computes its gradients with the same. Scopes nest.
class MatmulPrecision {
 public:
  /// Throws `Error` unless `type` is float32 or bfloat16.
  explicit MatmulPrecision(DType type);
  ~MatmulPrecision();
  MatmulPrecision(const MatmulPrecision&) = delete;
  MatmulPrecision& operator=(const MatmulPrecision&) = delete;

 private:
  DType outer_;
};

}  // namespace lintel
