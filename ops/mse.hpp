// Mean squared error.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// mean((prediction − target)²) over all elements, as a scalar; NaN when there are none. Two tensors of one shape,
/// float32 or float64; sums of 16,384 elements add up in float64. Saves both. Throws `Error` when shapes or types
/// differ.
Tensor mse(const Tensor& prediction, const Tensor& target);

}  // namespace lintel
