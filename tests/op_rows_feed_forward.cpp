// Rows of ops/feed_forward.hpp.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <lintel/ops/feed_forward.hpp>

#include "activation_by_definition.hpp"
#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// What dropout makes of element `place` of an array.
double dropped(const DropoutMask& mask, std::int64_t place, double x) {
  const auto element = static_cast<std::uint64_t>(place);
  const std::uint32_t word = philox(mask.key, element / 4)[element % 4];
  return static_cast<double>(word) >= mask.rate * 0x1p32 ? x / (1 - mask.rate) : 0;
}

/// Element (row, column) of x weightᵀ + bias.
double affine(const double* x, const Tensor& weight, const Tensor& bias, std::int64_t column) {
  const std::int64_t in = weight.size(1);
  double sum = bias.defined() ? bias.data<double>()[column] : 0;
  for (std::int64_t p = 0; p < in; ++p) sum += x[p] * weight.data<double>()[column * in + p];
  return sum;
}

Tensor feed_forward_by_loops(const Tensors& inputs, const FeedForwardOptions& o) {
  const Tensor &x = inputs[0], &up = inputs[1], &down = inputs[3], &residual = inputs[5];
  const std::int64_t in = up.size(1), mlp = up.size(0), out = down.size(0);
  Tensor y = empty(x.shape().with(-1, out), DType::float64);
  double* output = write<double>(y, "reference");
  std::vector<double> hidden(static_cast<std::size_t>(mlp));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t row = i / out;
    for (std::int64_t j = 0; j < mlp; ++j) {
      const double u = affine(x.data<double>() + row * in, up, inputs[2], j);
      hidden[static_cast<std::size_t>(j)] = dropped(o.hidden_dropout, row * mlp + j, activation_of(o.activation, u));
    }
    output[i] = dropped(o.output_dropout, i, affine(hidden.data(), down, inputs[4], i % out));
    if (residual.defined()) output[i] += residual.data<double>()[i];
  }
  return y;
}

OpRow feed_forward_row(const char* variant, const FeedForwardOptions& options) {
  const bool drops = options.hidden_dropout.rate > 0 || options.output_dropout.rate > 0;
  OpRow row{.op = "feed_forward",
            .variant = variant,
            .call = [options](const Tensors& x) { return feed_forward(x[0], x[1], x[2], x[3], x[4], x[5], options); },
            .samples = {{normal_input({4, 5}), normal_input({3, 5}), normal_input({3}), normal_input({2, 3}),
                         normal_input({2}), normal_input({4, 2})},
                        {normal_input({2, 3, 2}), normal_input({3, 2}), absent_input(), normal_input({2, 3}),
                         absent_input(), absent_input()},
                        {normal_input({5}), normal_input({17, 5}), normal_input({17}), normal_input({1, 17}),
                         absent_input(), normal_input({1})},
                        {normal_input({67, 1}), normal_input({3, 1}), absent_input(), normal_input({2, 3}),
                         normal_input({2}), absent_input()},
                        {normal_input({0, 5}), normal_input({3, 5}), normal_input({3}), normal_input({2, 3}),
                         normal_input({2}), normal_input({0, 2})},
                        {normal_input({2, 0}), normal_input({3, 0}), normal_input({3}, 1), normal_input({2, 3}),
                         normal_input({2}), absent_input()},
                        {normal_input({2, 5}), normal_input({0, 5}), normal_input({0}), normal_input({2, 0}),
                         normal_input({2}), absent_input()},
                        {normal_input({2, 5}), normal_input({3, 5}), absent_input(), normal_input({0, 3}),
                         normal_input({0}), absent_input()}},
            .large = {normal_input({2000, 33}), normal_input({65, 33}, 0, 0.2), normal_input({65}),
                      normal_input({34, 65}, 0, 0.2), normal_input({34}), normal_input({2000, 34})},
            .fused = true,
            .reference = [options](const Tensors& x) { return feed_forward_by_loops(x, options); },
            .optional_inputs = {2, 4, 5},
            .float32_tolerance = {1e-3, 1e-4}};  // for the gradients of `large`, sums of 2,000 terms of either sign
  if (drops) row.nan_may_vanish = {0, 1, 2, 3, 4, 5};
  return row;
}

}  // namespace

std::vector<OpRow> rows_of_feed_forward() {
  const DropoutMask hidden{0.25, 7}, output{0.5, 8};
  OpRow plain = feed_forward_row("", {});
  plain.errors = {{"feed_forward: x is a scalar, (..., in) wanted",
                   [] {
                     feed_forward(scalar(1), zeros({3, 5}), Tensor(), zeros({2, 3}), Tensor());
                   }},
                  {"feed_forward: up has shape (3, 6), (mlp, 5) wanted",
                   [] {
                     feed_forward(zeros({4, 5}), zeros({3, 6}), Tensor(), zeros({2, 3}), Tensor());
                   }},
                  {"feed_forward: down has shape (2, 4), (out, 3) wanted",
                   [] {
                     feed_forward(zeros({4, 5}), zeros({3, 5}), Tensor(), zeros({2, 4}), Tensor());
                   }},
                  {"feed_forward: up_bias has shape (2,), (3,) wanted",
                   [] {
                     feed_forward(zeros({4, 5}), zeros({3, 5}), zeros({2}), zeros({2, 3}), Tensor());
                   }},
                  {"feed_forward: down_bias has shape (3,), (2,) wanted",
                   [] {
                     feed_forward(zeros({4, 5}), zeros({3, 5}), Tensor(), zeros({2, 3}), zeros({3}));
                   }},
                  {"feed_forward: residual has shape (4, 5), (4, 2) wanted",
                   [] {
                     feed_forward(zeros({4, 5}), zeros({3, 5}), Tensor(), zeros({2, 3}), Tensor(), zeros({4, 5}));
                   }},
                  {"feed_forward: down is float64, float32 wanted",
                   [] {
                     feed_forward(zeros({4, 5}), zeros({3, 5}), Tensor(), zeros({2, 3}, DType::float64), Tensor());
                   }},
                  {"feed_forward: rate is 1, a number in [0, 1) wanted",
                   [] {
                     feed_forward(zeros({4, 5}), zeros({3, 5}), Tensor(), zeros({2, 3}), Tensor(), Tensor(),
                                  {.hidden_dropout = {.rate = 1}});
                   }},
                  {"feed_forward: rate is -0.5, a number in [0, 1) wanted", [] {
                     feed_forward(zeros({4, 5}), zeros({3, 5}), Tensor(), zeros({2, 3}), Tensor(), Tensor(),
                                  {.output_dropout = {.rate = -0.5}});
                   }}};
  return {
      plain,
      feed_forward_row("none", {.activation = Activation::none}),
      feed_forward_row("relu", {.activation = Activation::relu}),
      feed_forward_row("gelu_tanh", {.activation = Activation::gelu_tanh}),
      feed_forward_row("silu", {.activation = Activation::silu}),
      feed_forward_row("tanh", {.activation = Activation::tanh}),
      feed_forward_row("recompute", {.recompute = true}),
      feed_forward_row("dropout", {.hidden_dropout = hidden, .output_dropout = output}),
      feed_forward_row("dropout, relu", {.activation = Activation::relu, .hidden_dropout = hidden}),
      feed_forward_row("dropout, recompute", {.hidden_dropout = hidden, .output_dropout = output, .recompute = true}),
      feed_forward_row("dropout, tanh, recompute",
                       {.activation = Activation::tanh, .hidden_dropout = hidden, .recompute = true})};
}

}  // namespace lintel::op_table
