// Functions that move elements without computing anything. They take every type.
#pragma once

#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel {

/// The elements of x in row-major order under another shape; one size may be −1, it is worked out. Shares the buffer.
/// Throws `Error` when the number of elements differs.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes);

/// x with its axes in another order: axis i of the result is axis `axes[i]` of x. Copies. Throws `Error` unless `axes`
/// names every axis of x once.
Tensor permute(const Tensor& x, const std::vector<int>& axes);

/// x with two axes exchanged; negative ones count from the end. Copies.
Tensor transpose(const Tensor& x, int first_axis = -2, int second_axis = -1);

/// The tensors one after the other along `axis`. Throws `Error` when there is none, when types differ, or when sizes of
/// another axis differ.
Tensor concat(const std::vector<Tensor>& tensors, int axis);

/// The part begin ≤ i < end of `axis`. Shares the buffer along the first axis, copies along others. Throws `Error`
/// unless 0 ≤ begin ≤ end ≤ size of the axis.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end);

/// x repeated along axes of size 1 and new leading axes to `shape`, by NumPy's rule. Copies. Throws `Error` when x does
/// not broadcast to `shape`.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

}  // namespace lintel
