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

/// The inputs of either form in the order of `gated_feed_forward`.
struct NamedInputs {
  Tensor x, gate, gate_bias, up, up_bias, down, down_bias, residual;
};

NamedInputs plain_inputs(const Tensors& x) { return {x[0], Tensor(), Tensor(), x[1], x[2], x[3], x[4], x[5]}; }

NamedInputs gated_inputs(const Tensors& x) { return {x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]}; }

/// Without a gate f is applied to x upᵀ, with one to x gateᵀ.
Tensor by_loops(const NamedInputs& t, const FeedForwardOptions& o) {
  const std::int64_t in = t.up.size(1), mlp = t.up.size(0), out = t.down.size(0);
  Tensor y = empty(t.x.shape().with(-1, out), DType::float64);
  double* output = write<double>(y, "reference");
  std::vector<double> hidden(static_cast<std::size_t>(mlp));
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t row = i / out;
    const double* const x = t.x.data<double>() + row * in;
    for (std::int64_t j = 0; j < mlp; ++j) {
      const double u = affine(x, t.up, t.up_bias, j);
      const double value = t.gate.defined() ? activation_of(o.activation, affine(x, t.gate, t.gate_bias, j)) * u
                                            : activation_of(o.activation, u);
      hidden[static_cast<std::size_t>(j)] = dropped(o.hidden_dropout, row * mlp + j, value);
    }
    output[i] = dropped(o.output_dropout, i, affine(hidden.data(), t.down, t.down_bias, i % out));
    if (t.residual.defined()) output[i] += t.residual.data<double>()[i];
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
            .reference = [options](const Tensors& x) { return by_loops(plain_inputs(x), options); },
            .optional_inputs = {2, 4, 5},
            .float32_tolerance = {1e-3, 1e-4}};  // for the gradients of `large`, sums of 2,000 terms of either sign
  if (drops) row.nan_may_vanish = {0, 1, 2, 3, 4, 5};
  return row;
}

/// A sample of the gated form from one of the plain form: the gate is drawn like `up`.
Sample with_gate(const Sample& plain) {
  Sample sample = plain;
  sample.insert(sample.begin() + 1, {plain[1], plain[2]});
  return sample;
}

OpRow gated_feed_forward_row(const char* variant, const FeedForwardOptions& options) {
  OpRow row = feed_forward_row(variant, options);
  row.op = "gated_feed_forward";
  row.call = [options](const Tensors& x) {
    return gated_feed_forward(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], options);
  };
  for (Sample& sample : row.samples) sample = with_gate(sample);
  // One of the biases alone, and blocks of rows of which the last is short.
  row.samples.push_back({normal_input({3, 2}), normal_input({5, 2}), normal_input({5}), normal_input({5, 2}),
                         absent_input(), normal_input({2, 5}), absent_input(), absent_input()});
  row.samples.push_back({normal_input({261, 1}), normal_input({2, 1}), absent_input(), normal_input({2, 1}),
                         normal_input({2}), normal_input({1, 2}), absent_input(), normal_input({261, 1})});
  row.large = with_gate(row.large);
  row.reference = [options](const Tensors& x) { return by_loops(gated_inputs(x), options); };
  row.optional_inputs = {2, 4, 6, 7};
  if (!row.nan_may_vanish.empty()) row.nan_may_vanish = {0, 1, 2, 3, 4, 5, 6, 7};
  return row;
}

std::vector<ErrorCase> errors_of_gated_feed_forward() {
  const Tensor x = zeros({4, 5}), up = zeros({3, 5}), down = zeros({2, 3});
  return {{"gated_feed_forward: x is a scalar, (..., in) wanted",
           [=] { gated_feed_forward(scalar(1), up, Tensor(), up, Tensor(), down, Tensor()); }},
          {"gated_feed_forward: gate has shape (3, 6), (mlp, 5) wanted",
           [=] {
             gated_feed_forward(x, zeros({3, 6}), Tensor(), up, Tensor(), down, Tensor());
           }},
          {"gated_feed_forward: up has shape (4, 5), (3, 5) wanted",
           [=] {
             gated_feed_forward(x, up, Tensor(), zeros({4, 5}), Tensor(), down, Tensor());
           }},
          {"gated_feed_forward: up is float64, float32 wanted",
           [=] {
             gated_feed_forward(x, up, Tensor(), zeros({3, 5}, DType::float64), Tensor(), down, Tensor());
           }},
          {"gated_feed_forward: down has shape (2, 4), (out, 3) wanted",
           [=] {
             gated_feed_forward(x, up, Tensor(), up, Tensor(), zeros({2, 4}), Tensor());
           }},
          {"gated_feed_forward: gate_bias has shape (2,), (3,) wanted",
           [=] { gated_feed_forward(x, up, zeros({2}), up, Tensor(), down, Tensor()); }},
          {"gated_feed_forward: up_bias has shape (2,), (3,) wanted",
           [=] { gated_feed_forward(x, up, Tensor(), up, zeros({2}), down, Tensor()); }},
          {"gated_feed_forward: down_bias has shape (3,), (2,) wanted",
           [=] { gated_feed_forward(x, up, Tensor(), up, Tensor(), down, zeros({3})); }},
          {"gated_feed_forward: residual has shape (4, 5), (4, 2) wanted",
           [=] { gated_feed_forward(x, up, Tensor(), up, Tensor(), down, Tensor(), x); }},
          {"gated_feed_forward: rate is 1, a number in [0, 1) wanted", [=] {
             gated_feed_forward(x, up, Tensor(), up, Tensor(), down, Tensor(), Tensor(),
                                {.hidden_dropout = {.rate = 1}});
           }}};
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
  OpRow swiglu = gated_feed_forward_row("silu", {.activation = Activation::silu});
  swiglu.errors = errors_of_gated_feed_forward();
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
                       {.activation = Activation::tanh, .hidden_dropout = hidden, .recompute = true}),
      swiglu,
      gated_feed_forward_row("none", {.activation = Activation::none}),
      gated_feed_forward_row("relu, recompute", {.activation = Activation::relu, .recompute = true}),
      gated_feed_forward_row("tanh", {.activation = Activation::tanh}),
      gated_feed_forward_row("recompute", {.activation = Activation::silu, .recompute = true}),
      gated_feed_forward_row("dropout, relu", {.activation = Activation::relu, .hidden_dropout = hidden}),
      gated_feed_forward_row("dropout", {.hidden_dropout = hidden, .output_dropout = output}),
      gated_feed_forward_row(
          "dropout, silu, recompute",
          {.activation = Activation::silu, .hidden_dropout = hidden, .output_dropout = output, .recompute = true}),
      gated_feed_forward_row("dropout, tanh, recompute",
                             {.activation = Activation::tanh, .hidden_dropout = hidden, .recompute = true})};
}

}  // namespace lintel::op_table
