// Matrix products between blocks of larger matrices, in the form that fused ops write them. Shapes as for `gemm`: any
// size may be 0, and inside a task they run serially.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include <lintel/ops/gemm.hpp>

namespace lintel {

/// A matrix whose rows lie `stride` elements apart: a head of (N, H, d) has stride H·d.
template <class T>
struct Block {
  T* first;
  std::int64_t stride;

  /// Nothing, which is null, has no rows.
  Block from_row(std::int64_t row) const { return {first ? first + row * stride : first, stride}; }
  operator Block<const T>() const { return {first, stride}; }
};

template <class T>
using ConstBlock = Block<const std::type_identity_t<T>>;

/// The floating-point operations of a product.
inline double product_flops(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  return 2 * static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(depth);
}

/// c = factor·a·b, or that added to c where `add`: a (rows, depth), b (depth, columns), c (rows, columns).
template <class T>
void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, ConstBlock<T> a, ConstBlock<T> b, Block<T> c,
              bool add = false, std::type_identity_t<T> factor = 1) {
  gemm<T>(rows, columns, depth, factor, {a.first, a.stride}, {b.first, b.stride}, c.first, c.stride,
          {.accumulate = add});
}

/// c = factor·aᵀ·b, or that added to c where `add`: a (depth, rows), b (depth, columns), c (rows, columns).
template <class T>
void multiply_transposed_a(std::int64_t rows, std::int64_t columns, std::int64_t depth, ConstBlock<T> a,
                           ConstBlock<T> b, Block<T> c, bool add = false, std::type_identity_t<T> factor = 1) {
  gemm<T>(rows, columns, depth, factor, {a.first, a.stride, true}, {b.first, b.stride}, c.first, c.stride,
          {.accumulate = add});
}

/// c = factor·a·bᵀ, or that added to c where `add`: a (rows, depth), b (columns, depth), c (rows, columns).
template <class T>
void multiply_transposed_b(std::int64_t rows, std::int64_t columns, std::int64_t depth, ConstBlock<T> a,
                           ConstBlock<T> b, Block<T> c, bool add = false, std::type_identity_t<T> factor = 1) {
  gemm<T>(rows, columns, depth, factor, {a.first, a.stride}, {b.first, b.stride, true}, c.first, c.stride,
          {.accumulate = add});
}

/// c = a·bᵀ + bias in every row (none where null): what a linear layer computes of its weight b (columns, depth).
template <class T>
void apply_weight(std::int64_t rows, std::int64_t columns, std::int64_t depth, ConstBlock<T> a, ConstBlock<T> b,
                  const std::type_identity_t<T>* bias, Block<T> c) {
  gemm<T>(rows, columns, depth, 1, {a.first, a.stride}, {b.first, b.stride, true}, c.first, c.stride, {.bias = bias});
}

/// The weight (columns, depth) of a linear layer as `apply_weight` wants it packed.
template <class T>
PackedMatrix<T> packed_weight(std::int64_t columns, std::int64_t depth, ConstBlock<T> weight) {
  return PackedMatrix<T>(depth, columns, {weight.first, weight.stride, true});
}

/// c = a·b + bias in every row (none where null), for a packed b: a (rows, depth), c (rows, columns).
template <class T>
void apply_weight(std::int64_t rows, ConstBlock<T> a, const PackedMatrix<T>& b, const std::type_identity_t<T>* bias,
                  Block<T> c) {
  gemm<T>(rows, 1, {a.first, a.stride}, b, c.first, c.stride, {.bias = bias});
}

/// c = a·b, or that added to c where `add`, for a packed b: a (rows, depth), c (rows, columns).
template <class T>
void multiply(std::int64_t rows, ConstBlock<T> a, const PackedMatrix<T>& b, Block<T> c, bool add = false) {
  gemm<T>(rows, 1, {a.first, a.stride}, b, c.first, c.stride, {.accumulate = add});
}

/// The right operand b (depth, columns) of products with so many blocks of rows: packed once, unless there is only one
/// block, for which `gemm` itself knows best.
template <class T>
class ReusedOperand {
 public:
  ReusedOperand(std::int64_t blocks, std::int64_t depth, std::int64_t columns, const GemmOperand<T>& b)
      : depth_(depth), columns_(columns), operand_(b) {
    if (blocks > 1) packed_.emplace(depth, columns, b);
  }

  /// c = a·b with the epilogue: a (rows, depth), c (rows, columns).
  void multiply(std::int64_t rows, ConstBlock<T> a, Block<T> c, const GemmEpilogue<T>& epilogue = {}) const {
    if (packed_) {
      gemm<T>(rows, 1, {a.first, a.stride}, *packed_, c.first, c.stride, epilogue);
    } else {
      gemm<T>(rows, columns_, depth_, 1, {a.first, a.stride}, operand_, c.first, c.stride, epilogue);
    }
  }

 private:
  std::int64_t depth_, columns_;
  GemmOperand<T> operand_;
  std::optional<PackedMatrix<T>> packed_;
};

}  // namespace lintel
