// Rows of ops/feature_map.hpp.
#include <cmath>

#include <lintel/ops/feature_map.hpp>

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

Tensor layer_by_loops(const Tensor& pre, const Tensor& gate, FeatureActivation activation) {
  Tensor y = empty(pre.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const double u = pre.data<double>()[i];
    output[i] = activation == FeatureActivation::softplus ? std::log1p(std::exp(u)) : u;
    if (gate.defined()) output[i] /= 1 + std::exp(-gate.data<double>()[i]);
  }
  return y;
}

constexpr auto none = FeatureActivation::none;
constexpr auto softplus_last = FeatureActivation::softplus;

/// For the gradients of `large`, sums of 2,100 terms of either sign.
constexpr Tolerance of_long_sums = {1e-4, 1e-4};

OpRow linear_map_row(const char* variant, FeatureActivation activation) {
  return {.op = "feature_map_linear",
          .variant = variant,
          .call = [=](const Tensors& x) { return feature_map_linear(x[0], x[1], x[2], activation); },
          .samples = {{normal_input({3, 2, 4}), normal_input({2, 3, 4}), normal_input({2, 3})},
                      {normal_input({2, 2, 1, 5}), normal_input({1, 5, 5}), absent_input()},
                      {normal_input({0, 2, 4}), normal_input({2, 3, 4}), normal_input({2, 3})},
                      {normal_input({2, 2, 0}), normal_input({2, 3, 0}), normal_input({2, 3})}},
          .large = {normal_input({2100, 4, 16}), normal_input({4, 17, 16}), normal_input({4, 17})},
          .fused = true,
          .reference =
              [=](const Tensors& x) { return layer_by_loops(affine_by_loops(x[0], x[1], x[2]), Tensor(), activation); },
          .optional_inputs = {2},
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
  return {linear, linear_map_row("inner", none), glu, glu_row("inner", none), lowrank, lowrank_row("inner", none)};
}

}  // namespace lintel::op_table
