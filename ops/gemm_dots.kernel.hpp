// A matrix product of few rows by dot products, once per instruction set: no include guard, see gemm_block.hpp.
//
// With few rows of A, packing a transposed B would cost more than the product. Here both lie in rows and the inner
// dimension is what fills the registers.

#define LINTEL_INLINE [[gnu::always_inline]] inline
#define LINTEL_UNROLL _Pragma("GCC unroll 16")

namespace lintel::kernels::LINTEL_ISA {

/// Adds to every sum the products of `lanes` elements from p on; `Partial` when these are less than a vector.
template <bool Partial, class T, int Rows, int Columns>
LINTEL_INLINE void gemm_dots_step(const T* a, std::int64_t a_stride, const T* b, std::int64_t b_stride,
                                  std::int64_t lanes, vec<T> (&sum)[Rows][Columns]) {
  using V = vec<T>;
  V left[Rows];
  LINTEL_UNROLL for (int i = 0; i < Rows; ++i) {
    left[i] = Partial ? V::load_partial(a + i * a_stride, lanes) : V::load(a + i * a_stride);
  }
  LINTEL_UNROLL for (int j = 0; j < Columns; ++j) {
    const V right = Partial ? V::load_partial(b + j * b_stride, lanes) : V::load(b + j * b_stride);
    LINTEL_UNROLL for (int i = 0; i < Rows; ++i) sum[i][j] = fma(left[i], right, sum[i][j]);
  }
}

/// Elements (i, j) to (i + Rows - 1, j + Columns - 1) of a block of C.
template <class T, int Rows, int Columns>
[[gnu::noinline]] void gemm_dots_tile(const GemmBlock<GemmTypes<T>>& block, std::int64_t i, std::int64_t j) {
  using V = vec<T>;
  V sum[Rows][Columns];
  LINTEL_UNROLL for (int row = 0; row < Rows; ++row) {
    LINTEL_UNROLL for (int column = 0; column < Columns; ++column) sum[row][column] = V::zero();
  }
  const T* a = block.a + i * block.a_stride;
  const T* b = block.b + j * block.b_stride;
  std::int64_t p = 0;
  for (; p + V::width <= block.depth; p += V::width) {
    gemm_dots_step<false>(a + p, block.a_stride, b + p, block.b_stride, V::width, sum);
  }
  if (p < block.depth) gemm_dots_step<true>(a + p, block.a_stride, b + p, block.b_stride, block.depth - p, sum);
  LINTEL_UNROLL for (int row = 0; row < Rows; ++row) {
    LINTEL_UNROLL for (int column = 0; column < Columns; ++column) {
      T number = block.alpha * reduce_add(sum[row][column]);
      if (block.addend) number += block.addend[(i + row) * block.addend_stride + j + column];
      block.c[(i + row) * block.c_stride + j + column] = number;
    }
  }
}

/// Columns [j, j + Columns) of a block of C.
template <class T, int Columns>
void gemm_dots_columns(const GemmBlock<GemmTypes<T>>& block, std::int64_t j) {
  std::int64_t i = 0;
  for (; i + 4 <= block.rows; i += 4) gemm_dots_tile<T, 4, Columns>(block, i, j);
  if (i + 2 <= block.rows) {
    gemm_dots_tile<T, 2, Columns>(block, i, j);
    i += 2;
  }
  if (i < block.rows) gemm_dots_tile<T, 1, Columns>(block, i, j);
}

template <class T>
void gemm_dots(const GemmBlock<GemmTypes<T>>& block) {
  std::int64_t j = 0;
  for (; j + 4 <= block.columns; j += 4) gemm_dots_columns<T, 4>(block, j);
  for (; j < block.columns; ++j) gemm_dots_columns<T, 1>(block, j);
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
#undef LINTEL_UNROLL
