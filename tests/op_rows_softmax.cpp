// Rows of ops/softmax.hpp.
#include <algorithm>
#include <cmath>

#include <lintel/ops/softmax.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

Tensor log_softmax_by_loops(const Tensor& x) {
  const std::int64_t columns = x.size(-1), rows = columns == 0 ? 0 : x.size() / columns;
  Tensor y = empty(x.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t r = 0; r < rows; ++r) {
    const double* row = x.data<double>() + r * columns;
    const double largest = *std::max_element(row, row + columns);
    double sum = 0;
    for (std::int64_t c = 0; c < columns; ++c) sum += std::exp(row[c] - largest);
    for (std::int64_t c = 0; c < columns; ++c) output[r * columns + c] = row[c] - largest - std::log(sum);
  }
  return y;
}

Tensor softmax_by_loops(const Tensor& x) {
  Tensor y = log_softmax_by_loops(x);
  double* elements = write<double>(y, "reference");
  for (std::int64_t i = 0; i < y.size(); ++i) elements[i] = std::exp(elements[i]);
  return y;
}

std::vector<Sample> softmax_samples() {
  return {{normal_input({5, 7})}, {normal_input({2, 3, 17}, 10, 5)},
          {normal_input({4, 1})}, {normal_input({33})},
          {normal_input({0, 7})}, {normal_input({3, 0})}};
}

}  // namespace

std::vector<OpRow> rows_of_softmax() {
  return {{.op = "softmax",
           .call = [](const Tensors& x) { return softmax(x[0]); },
           .samples = softmax_samples(),
           .large = {normal_input({3000, 65})},
           .fused = true,
           .reference = [](const Tensors& x) { return softmax_by_loops(x[0]); },
           .errors = {{"softmax: x is a scalar, at least one axis wanted", [] { softmax(scalar(1)); }},
                      {"softmax: works on float32 or float64, got int64; cast with to(x, dtype)",
                       [] { softmax(arange(0, 3)); }}}},
          {.op = "log_softmax",
           .call = [](const Tensors& x) { return log_softmax(x[0]); },
           .samples = softmax_samples(),
           .large = {normal_input({3000, 65})},
           .fused = true,
           .reference = [](const Tensors& x) { return log_softmax_by_loops(x[0]); },
           .errors = {{"log_softmax: x is a scalar, at least one axis wanted", [] { log_softmax(scalar(1)); }}}}};
}

}  // namespace lintel::op_table
