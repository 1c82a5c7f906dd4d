// Sums, means and maxima over axes.
#pragma once

#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Σ x over `axes` (negative ones count from the end; none given: all), which disappear from the shape, or stay with
/// size 1 when `keep_dims`. The order of the additions depends on the shape only; long sums are added up in pieces, so
/// that the rounding error grows slowly. 0 for an empty sum. Throws `Error` for an axis out of range or given twice,
/// and for a type other than float32 and float64.
Tensor sum(const Tensor& x, const std::vector<int>& axes = {}, bool keep_dims = false);

/// sum(x)/n, with n the number of elements that are summed; NaN when there are none.
Tensor mean(const Tensor& x, const std::vector<int>& axes = {}, bool keep_dims = false);

/// The largest element, NaN when there is one among them. Elements that tie share the derivative equally. Throws
/// `Error` as `sum` does, and when there is nothing to take the maximum of.
Tensor max(const Tensor& x, const std::vector<int>& axes = {}, bool keep_dims = false);

/// Sums x over the axes along which `shape` would be stretched to broadcast to x.shape(): the adjoint of
/// `broadcast_to`. Throws `Error` when `shape` does not broadcast to x.shape().
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace lintel
