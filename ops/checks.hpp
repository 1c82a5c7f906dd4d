// Checks that many ops make of their inputs, so that the same mistake is told in the same words everywhere.
#pragma once

#include <lintel/core/error.hpp>
#include <lintel/core/tensor.hpp>

namespace lintel {

/// Throws `Error` when `x`, called `name` by the caller's documentation, is undefined.
inline void check_defined(const char* op, const Tensor& x, const char* name) {
  if (!x.defined()) fail(op, ": ", name, " is undefined, a tensor wanted");
}

/// Throws `Error` when `x` is undefined or not of the type `wanted`.
inline void check_dtype(const char* op, const Tensor& x, DType wanted, const char* name) {
  check_defined(op, x, name);
  if (x.dtype() != wanted) fail(op, ": ", name, " is ", x.dtype(), ", ", wanted, " wanted");
}

/// Throws `Error` when `a` or `b` is undefined or their types differ: there is no promotion.
inline void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  check_defined(op, a, "the first input");
  check_defined(op, b, "the second input");
  if (a.dtype() == b.dtype()) return;
  fail(op, ": inputs are ", a.dtype(), " and ", b.dtype(), ", one type wanted; cast with to(x, dtype)");
}

}  // namespace lintel
