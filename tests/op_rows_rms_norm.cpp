// Rows of ops/rms_norm.hpp.
#include <cmath>

#include <lintel/ops/rms_norm.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

Tensor rms_norm_by_loops(const Tensors& inputs, double epsilon) {
  const Tensor &x = inputs[0], &weight = inputs[1];
  const std::int64_t columns = x.size(-1), rows = columns == 0 ? 0 : x.size() / columns;
  Tensor y = empty(x.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t r = 0; r < rows; ++r) {
    const double* row = x.data<double>() + r * columns;
    double square = 0;
    for (std::int64_t c = 0; c < columns; ++c) square += row[c] * row[c] / static_cast<double>(columns);
    for (std::int64_t c = 0; c < columns; ++c) {
      output[r * columns + c] = row[c] / std::sqrt(square + epsilon) * weight.data<double>()[c];
    }
  }
  return y;
}

}  // namespace

std::vector<OpRow> rows_of_rms_norm() {
  return {{.op = "rms_norm",
           .call = [](const Tensors& x) { return rms_norm(x[0], x[1], 1e-5); },
           .samples = {{normal_input({5, 7}), normal_input({7})},
                       {normal_input({2, 3, 17}, 2, 3), normal_input({17})},
                       {normal_input({4, 1}), normal_input({1})},
                       {normal_input({33}), normal_input({33})},
                       {normal_input({0, 7}), normal_input({7})},
                       {normal_input({3, 0}), normal_input({0})}},
           .large = {normal_input({3000, 65}), normal_input({65})},
           .fused = true,
           .reference = [](const Tensors& x) { return rms_norm_by_loops(x, 1e-5); },
           .errors = {{"rms_norm: weight has shape (6,), (7,) wanted",
                       [] {
                         rms_norm(zeros({5, 7}), zeros({6}));
                       }},
                      {"rms_norm: works on float32 or float64, got int64; cast with to(x, dtype)",
                       [] {
                         rms_norm(zeros({5, 7}, DType::int64), zeros({7}, DType::int64));
                       }},
                      {"rms_norm: epsilon is -1, a positive number wanted", [] {
                         rms_norm(zeros({5, 7}), zeros({7}), -1);
                       }}}}};
}

}  // namespace lintel::op_table
