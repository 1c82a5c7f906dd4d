// Rows of ops/linear.hpp.
#include <lintel/ops/linear.hpp>

#include "activation_by_definition.hpp"
#include "op_table.hpp"

namespace lintel::op_table {

namespace {

Tensor linear_by_loops(const Tensors& inputs, Activation activation) {
  const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2];
  const std::int64_t out = weight.size(0), in = weight.size(1);
  Tensor y = empty(x.shape().with(-1, out), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t row = i / out, column = i % out;
    double sum = bias.defined() ? bias.data<double>()[column] : 0;
    for (std::int64_t p = 0; p < in; ++p) {
      sum += x.data<double>()[row * in + p] * weight.data<double>()[column * in + p];
    }
    output[i] = activation_of(activation, sum);
  }
  return y;
}

OpRow linear_row(const char* variant, Activation activation) {
  return {.op = "linear",
          .variant = variant,
          .call = [activation](const Tensors& x) { return linear(x[0], x[1], x[2], activation); },
          .samples = {{normal_input({4, 5}), normal_input({3, 5}), normal_input({3})},
                      {normal_input({2, 3, 5}), normal_input({1, 5}), absent_input()},
                      {normal_input({5}), normal_input({17, 5}), normal_input({17})},
                      {normal_input({0, 5}), normal_input({3, 5}), normal_input({3})},
                      {normal_input({2, 0}), normal_input({3, 0}), normal_input({3}, 1)},
                      {normal_input({2, 5}), normal_input({0, 5}), normal_input({0})}},
          .large = {normal_input({2000, 65}), normal_input({130, 65}, 0, 0.1), normal_input({130})},
          .fused = true,
          .reference = [activation](const Tensors& x) { return linear_by_loops(x, activation); },
          .optional_inputs = {2},
          .float32_tolerance = {1e-4, 1e-4}};  // for the gradients of `large`, sums of 2,000 terms of either sign
}

}  // namespace

std::vector<OpRow> rows_of_linear() {
  OpRow plain = linear_row("", Activation::none);
  plain.errors = {{"linear: x (5, 3) and weight (4, 7) do not fit, (..., in) and (out, in) wanted",
                   [] {
                     linear(zeros({5, 3}), zeros({4, 7}), Tensor());
                   }},
                  {"linear: x () and weight (4, 7) do not fit, (..., in) and (out, in) wanted",
                   [] {
                     linear(scalar(1), zeros({4, 7}), Tensor());
                   }},
                  {"linear: bias has shape (7,), (4,) wanted",
                   [] {
                     linear(zeros({5, 7}), zeros({4, 7}), zeros({7}));
                   }},
                  {"linear: inputs are float32 and float64, one type wanted; cast with to(x, dtype)", [] {
                     linear(zeros({5, 7}), zeros({4, 7}, DType::float64), Tensor());
                   }}};
  return {plain,
          linear_row("relu", Activation::relu),
          linear_row("gelu", Activation::gelu),
          linear_row("gelu_tanh", Activation::gelu_tanh),
          linear_row("silu", Activation::silu),
          linear_row("tanh", Activation::tanh)};
}

}  // namespace lintel::op_table
