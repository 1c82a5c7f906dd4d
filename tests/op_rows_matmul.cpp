#include <lintel/ops/matmul.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// The product by three loops, for each place of the leading axes; an operand of two axes is the same for all.
Tensor multiply_by_loops(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  const Shape shape = matmul(a, b, options).shape();
  const std::int64_t m = shape[-2], n = shape[-1], k = a.size(options.transpose_a ? -2 : -1);
  Tensor c = zeros(shape, DType::float64);
  double* result = write<double>(c, "reference");
  const std::int64_t batch = m * n == 0 ? 0 : c.size() / (m * n);
  for (std::int64_t s = 0; s < batch; ++s) {
    const double* x = a.data<double>() + (a.rank() == 2 ? 0 : s * m * k);
    const double* y = b.data<double>() + (b.rank() == 2 ? 0 : s * k * n);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        for (std::int64_t p = 0; p < k; ++p) {
          result[(s * m + i) * n + j] +=
              x[options.transpose_a ? p * m + i : i * k + p] * y[options.transpose_b ? j * k + p : p * n + j];
        }
      }
    }
  }
  return c;
}

/// `leading` axes with a matrix of rows x columns, or its transpose, behind them.
Input matrices(const std::vector<std::int64_t>& leading, std::int64_t rows, std::int64_t columns, bool transposed) {
  std::vector<std::int64_t> sizes = leading;
  sizes.push_back(transposed ? columns : rows);
  sizes.push_back(transposed ? rows : columns);
  return normal_input(Shape(sizes));
}

OpRow matmul_row(const MatmulOptions& options) {
  const auto sample = [=](const std::vector<std::int64_t>& leading_a, const std::vector<std::int64_t>& leading_b,
                          std::int64_t m, std::int64_t k, std::int64_t n) -> Sample {
    return {matrices(leading_a, m, k, options.transpose_a), matrices(leading_b, k, n, options.transpose_b)};
  };
  return {
      .op = "matmul",
      .variant =
          std::string(options.transpose_a ? "a transposed" : "a") + ", " + (options.transpose_b ? "b transposed" : "b"),
      .call = [=](const Tensors& x) { return matmul(x[0], x[1], options); },
      .samples = {sample({}, {}, 3, 4, 2), sample({}, {}, 1, 1, 1), sample({}, {}, 17, 2, 3), sample({}, {}, 1, 5, 19),
                  sample({}, {}, 2, 0, 3), sample({}, {}, 0, 2, 3), sample({}, {}, 2, 3, 0), sample({2}, {2}, 2, 3, 2),
                  sample({2, 2}, {2, 2}, 1, 2, 3), sample({2, 2}, {}, 3, 2, 2), sample({2}, {}, 2, 3, 0),
                  sample({2}, {}, 2, 0, 3), sample({}, {3}, 2, 3, 2), sample({0}, {}, 2, 3, 2),
                  sample({0}, {0}, 2, 3, 2), sample({1}, {1}, 2, 3, 2)},
      .large = sample({}, {}, 1000, 257, 310),
      .reference = [=](const Tensors& x) { return multiply_by_loops(x[0], x[1], options); },
      .float32_tolerance = {1e-3, 1e-4}};
}

/// Batched rows for the threads.
OpRow batched_row(const std::string& variant, const MatmulOptions& options, const Sample& large) {
  return {.op = "matmul",
          .variant = variant,
          .call = [=](const Tensors& x) { return matmul(x[0], x[1], options); },
          .large = large,
          .float32_tolerance = {1e-3, 1e-4}};
}

}  // namespace

std::vector<OpRow> rows_of_matmul() {
  std::vector<OpRow> rows = {
      matmul_row({false, false}),
      matmul_row({true, false}),
      matmul_row({false, true}),
      matmul_row({true, true}),
      batched_row("a batch of each", {}, {normal_input({70, 40, 50}), normal_input({70, 50, 60})}),
      batched_row("a batch and one matrix", {.transpose_b = true},
                  {normal_input({70, 40, 50}), normal_input({60, 50})})};
  rows.front().errors = {{"matmul: inner sizes differ: (32, 64) x (128, 10)",
                          [] {
                            matmul(zeros({32, 64}), zeros({128, 10}));
                          }},
                         {"matmul: inner sizes differ: (2, 3) transposed x (3, 4) transposed",
                          [] {
                            matmul(zeros({2, 3}), zeros({3, 4}), {true, true});
                          }},
                         {"matmul: leading axes differ: (2, 3, 4) x (3, 4, 5)",
                          [] {
                            matmul(zeros({2, 3, 4}), zeros({3, 4, 5}));
                          }},
                         {"matmul: leading axes differ: (2, 2, 3, 4) x (2, 4, 5)",
                          [] {
                            matmul(zeros({2, 2, 3, 4}), zeros({2, 4, 5}));
                          }},
                         {"matmul: shapes (3,) x (3, 4), at least two axes wanted",
                          [] {
                            matmul(zeros({3}), zeros({3, 4}));
                          }},
                         {"matmul: inputs are float32 and float64, one type wanted; cast with to(x, dtype)",
                          [] {
                            matmul(zeros({2, 2}), zeros({2, 2}, DType::float64));
                          }},
                         {"matmul: works on float32 or float64, got int64; cast with to(x, dtype)", [] {
                            matmul(zeros({2, 2}, DType::int64), zeros({2, 2}, DType::int64));
                          }}};
  return rows;
}

}  // namespace lintel::op_table
