// What the kernels of the matrix product are told: plain structs shared by ops/gemm.cpp and ops/gemm.kernel.hpp.
#pragma once

#include <cstdint>

#include <lintel/core/dtype.hpp>

namespace lintel {

/// The arithmetic of a product: what its operands are stored as, and what they are rounded to before they are
/// multiplied. Sums are float64 for float64 operands, float32 for all others.
template <class StoredType, class FactorType = StoredType>
struct GemmTypes {
  using Stored = StoredType;
  using Sum = StoredType;
  static constexpr bool widens = false;  ///< operands are stored as bfloat16
  static constexpr bool rounds = false;  ///< operands are rounded to bfloat16
  static constexpr bool converts =
      false;  ///< operands must be copied, since they are not stored as they are multiplied
  static constexpr int factor_bytes = sizeof(StoredType);
};

template <>
struct GemmTypes<float, bfloat16> {
  using Stored = float;
  using Sum = float;
  static constexpr bool widens = false, rounds = true, converts = true;
  static constexpr int factor_bytes = sizeof(bfloat16);
};

template <>
struct GemmTypes<bfloat16, bfloat16> {
  using Stored = bfloat16;
  using Sum = float;
  static constexpr bool widens = true, rounds = false, converts = true;
  static constexpr int factor_bytes = sizeof(bfloat16);
};

/// Rows of memory that are read soon and fetched meanwhile.
template <class T>
struct GemmRegion {
  const T* data;
  std::int64_t stride;   ///< elements from row to row
  std::int64_t columns;  ///< elements of a row
  std::int64_t rows;     ///< 0: nothing
};

/// C = alpha * A B + addend for a block of C and a stretch of the inner dimension.
template <class Types>
struct GemmBlock {
  using Stored = typename Types::Stored;
  using Sum = typename Types::Sum;

  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;  ///< of the inner dimension; may be 0
  Sum alpha;

  const Stored* a;
  std::int64_t a_stride;
  bool a_transposed;  ///< (i, p) of A is a[p * a_stride + i], else a[i * a_stride + p]
  void* a_copy;       ///< room for `GemmKernels::a_copy_size` bytes, or null to read A where it lies
  bool a_copied;      ///< a copy of the whole block lies there already, from the block before

  const Stored* b;  ///< (p, j) of B is b[p * b_stride + j] and `columns` is a multiple of `vector_columns`
  std::int64_t b_stride;
  const void* b_packed;  ///< read instead of b, or null

  Sum* c;
  std::int64_t c_stride;
  const Sum* addend;           ///< (i, j) is addend[i * addend_stride + j]: C itself to accumulate, a bias, or null
  std::int64_t addend_stride;  ///< 0 for a bias, the same in every row

  GemmRegion<Stored> next[2];  ///< what the block after this one copies or packs
};

/// The kernels of the matrix product for one instruction set, and the sizes that ops/gemm.cpp cuts its work by.
///
/// A packed B is a sequence of panels of `tile_columns` columns. For every p a panel holds its columns side by side.
/// The last panel is as wide as the whole vectors that its columns need, and filled up with zeros; so is the depth, to
/// whole `packed_depth`.
template <class Types>
struct GemmKernels {
  using Stored = typename Types::Stored;
  using Sum = typename Types::Sum;

  std::int64_t tile_rows;  ///< rows and columns of the tile of C that stays in registers
  std::int64_t tile_columns;
  std::int64_t vector_columns;  ///< columns of one vector
  std::int64_t packed_depth;    ///< steps of the inner dimension that a packed operand holds together
  std::int64_t packed_bytes;    ///< of one element of a packed operand

  /// Bytes of the copy of A (rows, depth): of one panel, or where A is transposed or converted of all.
  std::int64_t (*a_copy_size)(std::int64_t rows, std::int64_t depth, bool transposed);

  void (*multiply)(const GemmBlock<Types>& block);
  /// The same for few rows, where A is not transposed and not copied, and (p, j) of B is b[j * b_stride + p]. Null
  /// where operands are converted.
  void (*dots)(const GemmBlock<Types>& block);
  /// Packs B (depth, columns), stored with `stride` elements from row to row.
  void (*pack_b)(const Stored* b, std::int64_t stride, std::int64_t depth, std::int64_t columns, void* packed);
  /// Packs B (depth, columns), stored as its transpose (columns, depth).
  void (*pack_b_transposed)(const Stored* b, std::int64_t stride, std::int64_t depth, std::int64_t columns,
                            void* packed);
  /// c[i] = alpha * (the sum over s < partials of partial[s * partial_stride + i], in that order) + addend[i].
  void (*sum_partials)(const Sum* partial, std::int64_t partial_stride, std::int64_t partials, std::int64_t count,
                       Sum alpha, const Sum* addend, Sum* c);

  /// Multiply-adds between registers and nothing else: the speed that a product is measured against. Returns how many.
  std::int64_t (*multiply_adds)(std::int64_t steps, Sum factor, Sum* result);
};

/// The products of bfloat16 factors: what their operands are stored as is converted while it is copied.
struct Bfloat16Products {
  GemmKernels<GemmTypes<float, bfloat16>> of_float32;
  GemmKernels<GemmTypes<bfloat16>> of_bfloat16;
};

}  // namespace lintel
