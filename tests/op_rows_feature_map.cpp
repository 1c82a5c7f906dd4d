// Rows of ops/feature_map.hpp.
#include <cmath>

#include <lintel/ops/feature_map.hpp>

#include "activation_by_definition.hpp"
#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// W x + b of each head: x (rows, H, in), weight (H, out, in), bias (H, out) or absent, all float64.
Tensor affine_by_loops(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::int64_t heads = weight.size(0), out = weight.size(1), in = weight.size(2);
  Tensor y = empty(x.shape().with(-1, out), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t column = i % out, row_and_head = i / out, head = row_and_head % heads;
    double sum = bias.defined() ? bias.data<double>()[head * out + column] : 0;
    for (std::int64_t p = 0; p < in; ++p) {
      sum += x.data<double>()[row_and_head * in + p] * weight.data<double>()[(head * out + column) * in + p];
    }
    output[i] = sum;
  }
  return y;
}

double number_of(FeatureActivation activation, double u) {
  using enum FeatureActivation;
  if (activation == softplus) return std::log1p(std::exp(u));
  if (activation == sharp_softplus) return std::log1p(std::exp(2.5 * u)) / 2.5;
  if (activation == gelu) return activation_of(Activation::gelu, u);
  if (activation == elu_plus_one) return u > 0 ? u + 1 : std::exp(u);
  if (activation == relu) return std::max(u, 0.0);
  return u;
}

Tensor layer_by_loops(const Tensor& pre, const Tensor& gate, FeatureActivation activation) {
  Tensor y = empty(pre.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t i = 0; i < y.size(); ++i) {
    output[i] = number_of(activation, pre.data<double>()[i]);
    if (gate.defined()) output[i] /= 1 + std::exp(-gate.data<double>()[i]);
  }
  return y;
}

/// Two features of each number of the rows of `pre`: e^(±factor·u − shift) of a row, times a scale that may make their
/// sum 1.
Tensor pairs_by_loops(const Tensor& pre, FeatureActivation activation) {
  const std::int64_t d = pre.size(-1), rows = d == 0 ? 0 : pre.size() / d;
  const bool is_softmax = activation == FeatureActivation::softmax_pair;
  const double size = static_cast<double>(d), factor = is_softmax ? 1 : std::pow(size, -0.25);
  Tensor y = empty(pre.shape().with(-1, 2 * d), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t row = 0; row < rows; ++row, output += 2 * d) {
    const double* u = pre.data<double>() + row * d;
    double largest = 0, square = 0, ends[2] = {0, 0}, sums[2] = {0, 0};
    for (std::int64_t i = 0; i < d; ++i) {
      largest = std::max(largest, std::abs(factor * u[i]));
      square += factor * u[i] * factor * u[i];
      ends[0] = i == 0 ? u[i] : std::max(ends[0], u[i]);
      ends[1] = i == 0 ? -u[i] : std::max(ends[1], -u[i]);
    }
    for (std::int64_t i = 0; i < d; ++i) {
      sums[0] += std::exp(u[i] - ends[0]);
      sums[1] += std::exp(-u[i] - ends[1]);
    }
    for (std::int64_t i = 0; i < 2 * d; ++i) {
      const double w = i < d ? factor * u[i] : -factor * u[i - d];
      if (is_softmax) {
        output[i] = std::exp(w - ends[i / d]) / sums[i / d];
      } else if (activation == FeatureActivation::favor_query) {
        output[i] = std::exp(w - largest) / std::sqrt(2 * size);
      } else {
        output[i] = std::exp(std::min(w - square / (2 * size), 60.0)) / std::sqrt(2 * size);
      }
    }
  }
  return y;
}

Tensor activated_by_loops(const Tensor& pre, FeatureActivation activation) {
  return makes_pairs(activation) ? pairs_by_loops(pre, activation) : layer_by_loops(pre, Tensor(), activation);
}

constexpr auto none = FeatureActivation::none;
constexpr auto softplus_last = FeatureActivation::softplus;

/// For the gradients of `large`, sums of 2,100 terms of either sign.
constexpr Tolerance of_long_sums = {1e-4, 1e-4};

OpRow linear_map_row(const char* variant, FeatureActivation activation) {
  return {
      .op = "feature_map_linear",
      .variant = variant,
      .call = [=](const Tensors& x) { return feature_map_linear(x[0], x[1], x[2], activation); },
      .samples = {{normal_input({3, 2, 4}), normal_input({2, 3, 4}), normal_input({2, 3})},
                  {normal_input({2, 2, 1, 5}), normal_input({1, 5, 5}), absent_input()},
                  {normal_input({0, 2, 4}), normal_input({2, 3, 4}), normal_input({2, 3})},
                  {normal_input({2, 2, 0}), normal_input({2, 3, 0}), normal_input({2, 3})}},
      .large = {normal_input({2100, 4, 16}), normal_input({4, 17, 16}), normal_input({4, 17})},
      .fused = true,
      .reference = [=](const Tensors& x) { return activated_by_loops(affine_by_loops(x[0], x[1], x[2]), activation); },
      .optional_inputs = {2},
      .float32_tolerance = of_long_sums};
}

OpRow activation_row(const char* variant, FeatureActivation activation) {
  // Of two numbers of one magnitude, as spaced ones have them, the largest has no derivative.
  const auto input =
      activation == FeatureActivation::relu ? spaced_input : [](const Shape& shape) { return normal_input(shape); };
  return {.op = "feature_map_activation",
          .variant = variant,
          .call = [=](const Tensors& x) { return feature_map_activation(x[0], activation); },
          .samples = {{input({3, 2, 5})}, {input({2, 1, 17})}, {input({0, 2, 4})}, {input({2, 1, 1})}},
          .large = {normal_input({2100, 4, 17})},
          .fused = true,
          .reference = [=](const Tensors& x) { return activated_by_loops(x[0], activation); },
          // Of the second derivative of relu finite differences know nothing.
          .twice_differentiable = activation != FeatureActivation::relu,
          .float32_tolerance = of_long_sums};
}

OpRow glu_row(const char* variant, FeatureActivation activation) {
  return {.op = "feature_map_glu",
          .variant = variant,
          .call = [=](const Tensors& x) { return feature_map_glu(x[0], x[1], x[2], x[3], x[4], activation); },
          .samples = {{normal_input({3, 2, 3}), normal_input({2, 3, 3}), normal_input({2, 3}), normal_input({2, 3, 3}),
                       normal_input({2, 3})},
                      {normal_input({1, 2, 1, 5}), normal_input({1, 4, 5}), absent_input(), normal_input({1, 4, 5}),
                       absent_input()},
                      {normal_input({0, 2, 3}), normal_input({2, 3, 3}), normal_input({2, 3}), normal_input({2, 3, 3}),
                       normal_input({2, 3})}},
          .large = {normal_input({2100, 4, 16}), normal_input({4, 17, 16}), normal_input({4, 17}),
                    normal_input({4, 17, 16}), normal_input({4, 17})},
          .fused = true,
          .reference =
              [=](const Tensors& x) {
                return layer_by_loops(affine_by_loops(x[0], x[1], x[2]), affine_by_loops(x[0], x[3], x[4]), activation);
              },
          .optional_inputs = {2, 4},
          .float32_tolerance = of_long_sums};
}

OpRow lowrank_row(const char* variant, FeatureActivation activation) {
  return {.op = "feature_map_lowrank_glu",
          .variant = variant,
          .call = [=](const Tensors& x) { return feature_map_lowrank_glu(x[0], x[1], x[2], x[3], x[4], activation); },
          .samples = {{normal_input({3, 2, 4}), normal_input({2, 3, 4}), normal_input({2, 3}), normal_input({2, 1, 4}),
                       normal_input({2, 3, 1})},
                      {normal_input({1, 2, 1, 5}), normal_input({1, 4, 5}), absent_input(), normal_input({1, 2, 5}),
                       normal_input({1, 4, 2})},
                      {normal_input({0, 2, 4}), normal_input({2, 3, 4}), absent_input(), normal_input({2, 1, 4}),
                       normal_input({2, 3, 1})},
                      {normal_input({2, 1, 3}), normal_input({1, 3, 3}), absent_input(), normal_input({1, 0, 3}),
                       normal_input({1, 3, 0})}},
          .large = {normal_input({2100, 4, 16}), normal_input({4, 17, 16}), normal_input({4, 17}),
                    normal_input({4, 5, 16}), normal_input({4, 17, 5})},
          .fused = true,
          .reference =
              [=](const Tensors& x) {
                const Tensor low = affine_by_loops(x[0], x[3], Tensor());
                return layer_by_loops(affine_by_loops(x[0], x[1], x[2]), affine_by_loops(low, x[4], Tensor()),
                                      activation);
              },
          .optional_inputs = {2},
          .float32_tolerance = of_long_sums};
}

}  // namespace

std::vector<OpRow> rows_of_feature_map() {
  OpRow linear = linear_map_row("softplus", softplus_last);
  linear.errors = {{"feature_map_linear: x has shape (4,), (..., heads, head_dim) wanted",
                    [] {
                      feature_map_linear(zeros({4}), zeros({2, 3, 4}), Tensor(), none);
                    }},
                   {"feature_map_linear: weight has shape (3, 4), (heads, out, in) wanted",
                    [] {
                      feature_map_linear(zeros({5, 2, 4}), zeros({3, 4}), Tensor(), none);
                    }},
                   {"feature_map_linear: weight has shape (2, 3, 5), (2, 3, 4) wanted for x (5, 2, 4)",
                    [] {
                      feature_map_linear(zeros({5, 2, 4}), zeros({2, 3, 5}), Tensor(), none);
                    }},
                   {"feature_map_linear: bias has shape (3,), (2, 3) wanted for x (5, 2, 4)", [] {
                      feature_map_linear(zeros({5, 2, 4}), zeros({2, 3, 4}), zeros({3}), none);
                    }}};
  OpRow glu = glu_row("softplus", softplus_last);
  glu.errors = {
      {"feature_map_glu: an activation that makes pairs of features has no gate",
       [] {
         feature_map_glu(zeros({5, 2, 4}), zeros({2, 3, 4}), {}, zeros({2, 3, 4}), {}, FeatureActivation::favor_key);
       }},
      {"feature_map_glu: gate has shape (2, 4, 4), (2, 3, 4) wanted for x (5, 2, 4)",
       [] {
         feature_map_glu(zeros({5, 2, 4}), zeros({2, 3, 4}), {}, zeros({2, 4, 4}), {}, none);
       }},
      {"feature_map_glu: gate_bias is float64, float32 wanted", [] {
         feature_map_glu(zeros({5, 2, 4}), zeros({2, 3, 4}), {}, zeros({2, 3, 4}), zeros({2, 3}, DType::float64), none);
       }}};
  OpRow lowrank = lowrank_row("softplus", softplus_last);
  lowrank.errors = {
      {"feature_map_lowrank_glu: down has shape (1, 4), (heads, rank, in) wanted",
       [] {
         feature_map_lowrank_glu(zeros({5, 2, 4}), zeros({2, 3, 4}), {}, zeros({1, 4}), zeros({2, 3, 1}), none);
       }},
      {"feature_map_lowrank_glu: up has shape (2, 3, 2), (2, 3, 1) wanted for x (5, 2, 4)", [] {
         feature_map_lowrank_glu(zeros({5, 2, 4}), zeros({2, 3, 4}), {}, zeros({2, 1, 4}), zeros({2, 3, 2}), none);
       }}};
  using enum FeatureActivation;
  OpRow activation = activation_row("elu + 1", elu_plus_one);
  activation.errors = {{"feature_map_activation: x has shape (4,), (..., heads, head_dim) wanted",
                        [] { feature_map_activation(zeros({4}), FeatureActivation::relu); }}};
  return {linear,
          linear_map_row("inner", none),
          linear_map_row("pairs of softmax", softmax_pair),
          linear_map_row("random features of keys", favor_key),
          glu,
          glu_row("inner", none),
          glu_row("gelu", gelu),
          lowrank,
          lowrank_row("inner", none),
          activation,
          activation_row("none", none),
          activation_row("relu", relu),
          activation_row("gelu", gelu),
          activation_row("sharp softplus", sharp_softplus),
          activation_row("pairs of softmax", softmax_pair),
          activation_row("random features of queries", favor_query),
          activation_row("random features of keys", favor_key)};
}

}  // namespace lintel::op_table
