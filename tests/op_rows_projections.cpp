// Rows of ops/projections.hpp.
#include <lintel/ops/projections.hpp>
#include <lintel/ops/shape_ops.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// The layers of inputs (x, weight, bias, weight, bias, …).
std::vector<Projection> layers_of(const Tensors& inputs) {
  std::vector<Projection> layers;
  for (std::size_t i = 1; i < inputs.size(); i += 2) layers.push_back({inputs[i], inputs[i + 1]});
  return layers;
}

Tensor side_by_side(const Tensors& inputs) { return concat(projections(inputs[0], layers_of(inputs)), -1); }

Tensor projections_by_loops(const Tensors& inputs) {
  const Tensor& x = inputs[0];
  const std::int64_t in = x.size(-1);
  std::int64_t out = 0;
  for (const Projection& layer : layers_of(inputs)) out += layer.weight.size(0);
  Tensor y = empty(x.shape().with(-1, out), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t row = 0; row < (out == 0 ? 0 : y.size() / out); ++row) {
    for (const Projection& layer : layers_of(inputs)) {
      for (std::int64_t column = 0; column < layer.weight.size(0); ++column) {
        double sum = layer.bias.defined() ? layer.bias.data<double>()[column] : 0;
        for (std::int64_t p = 0; p < in; ++p) {
          sum += x.data<double>()[row * in + p] * layer.weight.data<double>()[column * in + p];
        }
        *output++ = sum;
      }
    }
  }
  return y;
}

}  // namespace

std::vector<OpRow> rows_of_projections() {
  return {
      {.op = "projections",
       .call = side_by_side,
       .samples =
           {{normal_input({4, 5}), normal_input({3, 5}), normal_input({3}), normal_input({2, 5}), absent_input(),
             normal_input({3, 5}), normal_input({3})},
            {normal_input({2, 3, 5}), normal_input({1, 5}), absent_input()},
            {normal_input({5}), normal_input({17, 5}), normal_input({17}), normal_input({0, 5}), normal_input({0})},
            {normal_input({67, 1}), normal_input({2, 1}), normal_input({2}), normal_input({3, 1}), normal_input({3})},
            {normal_input({0, 5}), normal_input({3, 5}), normal_input({3}), normal_input({2, 5}), absent_input()},
            {normal_input({2, 0}), normal_input({3, 0}), normal_input({3}, 1)}},
       .large = {normal_input({2000, 65}), normal_input({130, 65}, 0, 0.1), normal_input({130}),
                 normal_input({33, 65}, 0, 0.1), absent_input()},
       // The value is that of `concat`, which comes last: it cannot be held against the definition's first output, nor
       // say how many threads ran; the row below does. The vjp is compared with the definition's, under an outer tape.
       .parallel = false,
       .reference = projections_by_loops,
       .optional_inputs = {2, 4, 6},
       .float32_tolerance = {1e-4, 1e-4},  // for the gradients of `large`, sums of 2,000 terms of either sign
       .errors = {{"projections: x is a scalar, (..., in) wanted",
                   [] {
                     projections(scalar(1), {{zeros({4, 7}), Tensor()}});
                   }},
                  {"projections: there is no layer, at least one wanted",
                   [] {
                     projections(zeros({5, 7}), {});
                   }},
                  {"projections: x (5, 3) and weight (4, 7) do not fit, (..., in) and (out, in) wanted",
                   [] {
                     projections(zeros({5, 3}), {{zeros({4, 7}), Tensor()}});
                   }},
                  {"projections: a bias has shape (7,), (4,) wanted",
                   [] {
                     projections(zeros({5, 7}), {{zeros({4, 7}), zeros({7})}});
                   }},
                  {"projections: a weight is float64, float32 wanted",
                   [] {
                     projections(zeros({5, 7}), {{zeros({4, 7}, DType::float64), Tensor()}});
                   }}}},
      // A single layer, whose output is the definition's only one.
      {.op = "projections",
       .variant = "one",
       .call = [](const Tensors& inputs) { return projections(inputs[0], layers_of(inputs))[0]; },
       .samples = {{normal_input({4, 5}), normal_input({3, 5}), normal_input({3})}},
       .large = {normal_input({2000, 65}), normal_input({130, 65}, 0, 0.1), normal_input({130})},
       .fused = true,
       .reference = projections_by_loops,
       .optional_inputs = {2},
       .float32_tolerance = {1e-4, 1e-4}}};
}

}  // namespace lintel::op_table
