// The matrix product over raw pointers: what every op that multiplies matrices calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <lintel/ops/scratch.hpp>

namespace lintel {

/// A row-major matrix, or the transpose of one: element (i, j) is data[i * leading_dimension + j], or
/// data[j * leading_dimension + i].
template <class T>
struct GemmOperand {
  const T* data;
  std::int64_t leading_dimension;
  bool transposed = false;
};

/// What happens to the product before it is stored.
template <class T>
struct GemmEpilogue {
  bool accumulate = false;  ///< add it to what C holds
  const T* bias = nullptr;  ///< one number per column, added to every row; not together with `accumulate`
};

/// What products of T are summed in: float32 for bfloat16, else T itself.
template <class T>
struct GemmSumType {
  using type = T;
};
template <>
struct GemmSumType<bfloat16> {
  using type = float;
};
template <class T>
using gemm_sum_type = typename GemmSumType<T>::type;

/// C = alpha·A·B (+ C, or + bias) with A (m, k), B (k, n), C (m, n), T = float, double or bfloat16. Of float operands
/// the factors are rounded to bfloat16 where `matmul_precision` says so (core/matmul_precision.hpp).
/// Any size may be 0; a product over k = 0 is zero. NaN and infinity pass as in IEEE arithmetic. C must not overlap A
/// or B; it is read only where the product is added to it, and nothing is written between its rows. Runs in parallel
/// when it is worth it; the bits do not depend on the number of threads. Inside a task of `parallel_for` it runs
/// serially. Working memory comes from `tensor_memory()`. Throws `Error` when a size is negative, rows overlap, or the
/// epilogue has both a bias and `accumulate`.
template <class T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, gemm_sum_type<T> alpha, const GemmOperand<T>& a,
          const GemmOperand<T>& b, gemm_sum_type<T>* c, std::int64_t c_stride,
          const GemmEpilogue<gemm_sum_type<T>>& epilogue = {});

/// How far apart the matrices of a batch lie, in elements. A batch has two levels, so that the heads of
/// (batch, length, heads, head_dim) are reached without a transposition in memory.
struct GemmBatch {
  std::int64_t outer = 1, inner = 1;
  std::int64_t a_outer = 0, a_inner = 0;
  std::int64_t b_outer = 0, b_inner = 0;
  std::int64_t c_outer = 0, c_inner = 0;
};

/// `gemm` for every matrix of a batch, in parallel over the batch.
template <class T>
void gemm_batched(const GemmBatch& batch, std::int64_t m, std::int64_t n, std::int64_t k, gemm_sum_type<T> alpha,
                  const GemmOperand<T>& a, const GemmOperand<T>& b, gemm_sum_type<T>* c, std::int64_t c_stride,
                  const GemmEpilogue<gemm_sum_type<T>>& epilogue = {});

/// A right operand (k, n) laid out as the kernels read it, once for many products: a weight that meets block after
/// block of rows. It is a copy, in the precision that `matmul_precision` names where it is made; T = float or double.
template <class T>
class PackedMatrix {
 public:
  /// Throws `Error` as `gemm` does.
  PackedMatrix(std::int64_t k, std::int64_t n, const GemmOperand<T>& b);

  std::int64_t rows() const { return k_; }
  std::int64_t columns() const { return n_; }
  DType precision() const { return precision_; }
  std::byte* data() const { return reinterpret_cast<std::byte*>(static_cast<T*>(*packed_)); }

 private:
  std::int64_t k_, n_;
  DType precision_;
  std::optional<Scratch<T>> packed_;
};

/// `gemm` with a packed B, of which m rows are computed; k and n are those of B.
template <class T>
void gemm(std::int64_t m, T alpha, const GemmOperand<T>& a, const PackedMatrix<T>& b, T* c, std::int64_t c_stride,
          const GemmEpilogue<T>& epilogue = {});

}  // namespace lintel
