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
  parallel_for(blocks, share_of_task(cost * static_cast<double>(rows), blocks), [&](std::int64_t index) {
    std::fill(sums + index * length, sums + (index + 1) * length, T(0));
    body(index * block, std::min(rows, (index + 1) * block), sums + index * length);
  });
  return sum_of_blocks<T>(op, partial_sums);
}

/// How a pass over rows is cut that sums gradients of weights on its way: into stretches, each with sums of its own,
/// and these into blocks, whose intermediate results stay in the caches.
struct RowCut {
  std::int64_t rows;
  std::int64_t block;    ///< a multiple of 8
  std::int64_t stretch;  ///< a multiple of the block

  std::int64_t blocks() const { return (rows + block - 1) / block; }
  std::int64_t stretches() const { return std::max<std::int64_t>(1, (rows + stretch - 1) / stretch); }
};

/// Blocks of which `widest` columns fit the second-level cache. At most 16 stretches, none so short that summing what
/// it gives for the `parameters` costs more than it spreads; a single one where the sums would take too much memory:
/// then the products are large enough to be spread themselves, and the blocks are high.
inline RowCut cut_rows(std::int64_t rows, std::int64_t widest, std::int64_t parameters) {
  constexpr std::int64_t most_stretches = 16, fewest_stretches = 8, shortest_stretch = 256;
  constexpr std::int64_t block_elements = 1 << 17, lowest_block = 64, highest_block = 512;
  constexpr std::int64_t all_sums = 1 << 25;
  const std::int64_t affordable = all_sums / std::max<std::int64_t>(1, parameters);
  const std::int64_t stretches = std::min(affordable, most_stretches);
  if (rows <= shortest_stretch || affordable < fewest_stretches)
    return {rows, highest_block, std::max(rows, highest_block)};
  const std::int64_t fitting = block_elements / std::max<std::int64_t>(1, widest);
  const std::int64_t share = (rows + most_stretches - 1) / most_stretches;
  const std::int64_t block = std::clamp(std::min(fitting, share), lowest_block, highest_block) / 8 * 8;
  return {rows, block, (std::max(shortest_stretch, (rows + stretches - 1) / stretches) + block - 1) / block * block};
}

/// The sum over all rows of what `body(begin, end, sums)` writes to `sums`, `parameters` numbers for a stretch of rows.
/// `cost` counts operations per row. A single stretch may use all threads for its products.
template <class T, class Body>
Tensor sum_of_stretches(const char* op, const RowCut& cut, std::int64_t parameters, double cost, Body&& body) {
  if (cut.rows == 0) return zeros({parameters}, dtype_of<T>());
  const Tensor partial_sums = empty({cut.stretches(), parameters}, dtype_of<T>());
  T* const sums = write<T>(partial_sums, op);
  if (cut.stretches() == 1) {
    body(0, cut.rows, sums);
  } else {
    parallel_blocks(cut.rows, cut.stretch, cost, [&](std::int64_t begin, std::int64_t end) {
      body(begin, end, sums + begin / cut.stretch * parameters);
    });
  }
  return sum_of_blocks<T>(op, partial_sums);
}

/// Sets `sums` to the sums of the columns of x (rows, columns), or adds them.
template <class T>
void sum_columns(const T* x, std::int64_t rows, std::int64_t columns, T* sums, bool add) {
  if (!add) std::fill(sums, sums + columns, T(0));
  active_kernels<T>().add_column_sums(x, columns, sums, rows, columns);
}

}  // namespace lintel
