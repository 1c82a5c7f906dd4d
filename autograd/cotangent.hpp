// The only two things a tape must be able to compute by itself: the sum of two cotangents and its zero.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// a + b for two cotangents of one tensor. Active tapes record it, so that a backward pass can be differentiated.
Tensor add_cotangents(const Tensor& a, const Tensor& b);

/// Adds `b` into `sum`, in place when no other handle sees the buffer of `sum` and no tape records.
void accumulate_cotangent(Tensor& sum, const Tensor& b);

/// The cotangent of a tensor that nothing depends on.
Tensor zero_cotangent(const Shape& shape, DType dtype);

}  // namespace lintel
