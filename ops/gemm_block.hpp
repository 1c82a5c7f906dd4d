// What the kernels of the matrix product are told: plain structs shared by ops/gemm.cpp and ops/gemm.kernel.hpp.
#pragma once

#include <cstdint>

namespace lintel {

/// Rows of memory that are read soon and fetched meanwhile.
template <class T>
struct GemmRegion {
  const T* data;
  std::int64_t stride;   ///< elements from row to row
  std::int64_t columns;  ///< elements of a row
  std::int64_t rows;     ///< 0: nothing
};

/// C = alpha * A B + addend for a block of C and a stretch of the inner dimension.
template <class T>
struct GemmBlock {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;  ///< of the inner dimension; may be 0
  T alpha;

  const T* a;
  std::int64_t a_stride;
  bool a_transposed;  ///< (i, p) of A is a[p * a_stride + i], else a[i * a_stride + p]
  T* a_copy;          ///< room for `GemmKernels::a_copy_size` elements, or null to read A where it lies
  bool a_copied;      ///< a transposed A lies there already, from the block before

  const T* b;  ///< packed, or (p, j) of B is b[p * b_stride + j] and `columns` is a multiple of `vector_columns`
  std::int64_t b_stride;  ///< not used where B is packed
  bool b_packed;

  T* c;
  std::int64_t c_stride;
  const T* addend;             ///< (i, j) is addend[i * addend_stride + j]: C itself to accumulate, a bias, or null
  std::int64_t addend_stride;  ///< 0 for a bias, the same in every row

  GemmRegion<T> next[2];  ///< what the block after this one copies or packs
};

/// The kernels of the matrix product for one instruction set, and the sizes that ops/gemm.cpp cuts its work by.
///
/// A packed B is a sequence of panels of `tile_columns` columns. For every p a panel holds its columns side by side.
/// The last panel is as wide as the whole vectors that its columns need, and filled up with zeros.
template <class T>
struct GemmKernels {
  std::int64_t tile_rows;  ///< rows and columns of the tile of C that stays in registers
  std::int64_t tile_columns;
  std::int64_t vector_columns;  ///< columns of one vector

  /// Elements of the copy of A (rows, depth): of one panel, or where A is transposed of all.
  std::int64_t (*a_copy_size)(std::int64_t rows, std::int64_t depth, bool transposed);

  void (*multiply)(const GemmBlock<T>& block);
  /// The same for few rows, where A is not transposed and not copied, and (p, j) of B is b[j * b_stride + p].
  void (*dots)(const GemmBlock<T>& block);
  /// Packs B (depth, columns), stored with `stride` elements from row to row.
  void (*pack_b)(const T* b, std::int64_t stride, std::int64_t depth, std::int64_t columns, T* packed);
  /// Packs B (depth, columns), stored as its transpose (columns, depth).
  void (*pack_b_transposed)(const T* b, std::int64_t stride, std::int64_t depth, std::int64_t columns, T* packed);
  /// c[i] = alpha * (the sum over s < partials of partial[s * partial_stride + i], in that order) + addend[i].
  void (*sum_partials)(const T* partial, std::int64_t partial_stride, std::int64_t partials, std::int64_t count,
                       T alpha, const T* addend, T* c);

  /// Multiply-adds between registers and nothing else: the speed that a product is measured against. Returns how many.
  std::int64_t (*multiply_adds)(std::int64_t steps, T factor, T* result);
};

}  // namespace lintel
