// How fused ops cut the rows of a matrix into parallel tasks: by shape only, so that the bits of a result do not depend
// on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include <lintel/core/parallel.hpp>
#include <lintel/core/tensor.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {

/// The product of all sizes but those of the last `inner_axes` axes.
inline std::int64_t leading_size(const Shape& shape, int inner_axes) {
  std::int64_t size = 1;
  for (int axis = 0; axis < shape.rank() - inner_axes; ++axis) size *= shape[axis];
  return size;
}

/// A tensor seen as rows of its last axis; `count` is 0 where these are empty.
struct Rows {
  std::int64_t count;
  std::int64_t columns;
};

/// Throws an `Error` that names `op` and the tensor when `x` is undefined or has no axis.
inline Rows rows_of(const char* op, const Tensor& x, const char* name) {
  check_defined(op, x, name);
  if (x.rank() == 0) fail(op, ": ", name, " is a scalar, at least one axis wanted");
  const std::int64_t columns = x.size(-1);
  return {columns == 0 ? 0 : x.size() / columns, columns};
}

/// Throws an `Error` that names `op` unless `parameter` is of `type` and of the shape (size,).
inline void check_parameter(const char* op, const Tensor& parameter, DType type, std::int64_t size, const char* name) {
  check_dtype(op, parameter, type, name);
  if (parameter.shape() != Shape{size})
    fail(op, ": ", name, " has shape ", parameter.shape(), ", ", Shape{size}, " wanted");
}

/// Calls `body(begin, end)` for blocks of about 16,000 elements, in parallel. `cost` counts operations per element.
template <class Body>
void for_row_blocks(const Rows& rows, double cost, Body&& body) {
  const std::int64_t block = std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, rows.columns));
  parallel_blocks(rows.count, block, cost * static_cast<double>(rows.columns), body);
}

/// The sum of the rows of `partial_sums` (blocks, length), in their order: (length).
template <class T>
Tensor sum_of_blocks(const char* op, const Tensor& partial_sums) {
  constexpr std::int64_t part = 1024;  // elements of one task
  const std::int64_t blocks = partial_sums.size(0), length = partial_sums.size(1);
  if (blocks == 1) return share_buffer(partial_sums, {length});
  Tensor result = empty({length}, dtype_of<T>());
  const T* sums = partial_sums.data<T>();
  T* target = write<T>(result, op);
  parallel_blocks(length, part, static_cast<double>(blocks), [&](std::int64_t begin, std::int64_t end) {
    std::fill(target + begin, target + end, T(0));
    active_kernels<T>().add_column_sums(sums + begin, length, target + begin, blocks, end - begin);
  });
  return result;
}

/// The sum over all rows of what `body(begin, end, sums)` adds to `sums`, `length` numbers that start at 0. There are
/// at most 64 blocks of rows, whose sums combine in their order. `cost` counts operations per row.
template <class T, class Body>
Tensor sum_of_row_blocks(const char* op, std::int64_t rows, std::int64_t length, double cost, Body&& body) {
  constexpr std::int64_t most_blocks = 64, fewest_rows = 16;
  const std::int64_t block = std::max(fewest_rows, (rows + most_blocks - 1) / most_blocks);
  const std::int64_t blocks = std::max<std::int64_t>(1, (rows + block - 1) / block);
  const Tensor partial_sums = empty({blocks, length}, dtype_of<T>());
  T* sums = write<T>(partial_sums, op);
  parallel_for(blocks, cost * static_cast<double>(block), [&](std::int64_t index) {
    std::fill(sums + index * length, sums + (index + 1) * length, T(0));
    body(index * block, std::min(rows, (index + 1) * block), sums + index * length);
  });
  return sum_of_blocks<T>(op, partial_sums);
}

}  // namespace lintel
