// Matrix products whose result is bfloat16.
#include <algorithm>

#include <lintel/core/parallel.hpp>
#include <lintel/ops/gemm.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {
namespace gemm_bfloat16_detail {

/// Calls `body(narrow, wide, columns)` for every row of C: of the batch where it lies, and of its float32 copy.
template <class Body>
void for_each_row(const GemmBatch& batch, std::int64_t m, std::int64_t n, bfloat16* c, std::int64_t c_stride,
                  float* copy, Body&& body) {
  const std::int64_t rows = batch.outer * batch.inner * m;
  const std::int64_t block = std::max<std::int64_t>(1, (1 << 14) / n);
  parallel_blocks(rows, block, static_cast<double>(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t index = row / m;
      bfloat16* const matrix = c + index / batch.inner * batch.c_outer + index % batch.inner * batch.c_inner;
      body(matrix + row % m * c_stride, copy + row * n, n);
    }
  });
}

}  // namespace gemm_bfloat16_detail

void gemm_batched(const GemmBatch& batch, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
                  const GemmOperand<bfloat16>& a, const GemmOperand<bfloat16>& b, bfloat16* c, std::int64_t c_stride,
                  const GemmEpilogue<float>& epilogue) {
  using namespace gemm_bfloat16_detail;
  const Bfloat16Kernels& kernels = active_bfloat16_kernels();
  const std::int64_t products = std::max<std::int64_t>(0, batch.outer) * std::max<std::int64_t>(0, batch.inner);
  const bool empty = products == 0 || m <= 0 || n <= 0;
  const Scratch<float> copy(empty ? 0 : products * m * n);
  const bool fits = !empty && c_stride >= n;  // else the product below says what is wrong
  if (epilogue.accumulate && fits) for_each_row(batch, m, n, c, c_stride, copy, kernels.widen);
  GemmBatch to_copy = batch;
  to_copy.c_outer = batch.inner * m * n;
  to_copy.c_inner = m * n;
  gemm_batched<bfloat16>(to_copy, m, n, k, alpha, a, b, static_cast<float*>(copy), n, epilogue);
  if (empty) return;
  if (!fits) fail("gemm: rows of c have ", n, " elements, but its leading dimension is ", c_stride);
  for_each_row(batch, m, n, c, c_stride, copy, [&](bfloat16* narrow, const float* wide, std::int64_t columns) {
    kernels.narrow(wide, narrow, columns);
  });
}

}  // namespace lintel
