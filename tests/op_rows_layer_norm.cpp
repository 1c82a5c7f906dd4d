// Rows of ops/layer_norm.hpp.
#include <cmath>

#include <lintel/ops/layer_norm.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

Tensor layer_norm_by_loops(const Tensors& inputs, double epsilon) {
  const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2];
  const std::int64_t columns = x.size(-1), rows = columns == 0 ? 0 : x.size() / columns;
  Tensor y = empty(x.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t r = 0; r < rows; ++r) {
    const double* row = x.data<double>() + r * columns;
    double mean = 0, variance = 0;
    for (std::int64_t c = 0; c < columns; ++c) mean += row[c] / static_cast<double>(columns);
    for (std::int64_t c = 0; c < columns; ++c) {
      variance += (row[c] - mean) * (row[c] - mean) / static_cast<double>(columns);
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      output[r * columns + c] =
          (row[c] - mean) / std::sqrt(variance + epsilon) * weight.data<double>()[c] + bias.data<double>()[c];
    }
  }
  return y;
}

}  // namespace

std::vector<OpRow> rows_of_layer_norm() {
  return {{.op = "layer_norm",
           .call = [](const Tensors& x) { return layer_norm(x[0], x[1], x[2], 1e-5); },
           .samples = {{normal_input({5, 7}), normal_input({7}), normal_input({7})},
                       {normal_input({2, 3, 17}, 2, 3), normal_input({17}), normal_input({17})},
                       {normal_input({4, 1}), normal_input({1}), normal_input({1})},
                       {normal_input({33}), normal_input({33}), normal_input({33})},
                       {normal_input({0, 7}), normal_input({7}), normal_input({7})},
                       {normal_input({3, 0}), normal_input({0}), normal_input({0})}},
           .large = {normal_input({3000, 65}), normal_input({65}), normal_input({65})},
           .fused = true,
           .reference = [](const Tensors& x) { return layer_norm_by_loops(x, 1e-5); },
           .errors = {{"layer_norm: weight has shape (6,), (7,) wanted",
                       [] {
                         layer_norm(zeros({5, 7}), zeros({6}), zeros({7}));
                       }},
                      {"layer_norm: bias is float64, float32 wanted",
                       [] {
                         layer_norm(zeros({5, 7}), zeros({7}), zeros({7}, DType::float64));
                       }},
                      {"layer_norm: x is a scalar, at least one axis wanted",
                       [] { layer_norm(scalar(1), zeros({1}), zeros({1})); }},
                      {"layer_norm: epsilon is 0, a positive number wanted", [] {
                         layer_norm(zeros({5, 7}), zeros({7}), zeros({7}), 0);
                       }}}}};
}

}  // namespace lintel::op_table
