// Rows of ops/linear_cross_entropy.hpp.
#include <algorithm>
#include <cmath>
#include <vector>

#include <lintel/ops/linear_cross_entropy.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// The loss of one row of logits.
double loss_by_loops(const std::vector<double>& logits, std::int64_t label, double smoothing) {
  double maximum = -HUGE_VAL, sum = 0, mean = 0;
  for (const double x : logits) maximum = std::max(maximum, x);
  for (const double x : logits) sum += std::exp(x - maximum);
  for (const double x : logits) mean += (maximum - x + std::log(sum)) / static_cast<double>(logits.size());
  const double loss = maximum - logits[static_cast<std::size_t>(label)] + std::log(sum);
  return smoothing > 0 ? (1 - smoothing) * loss + smoothing * mean : loss;
}

Tensor linear_cross_entropy_by_loops(const Tensors& inputs, const CrossEntropyOptions& options) {
  const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2], &labels = inputs[3];
  const std::int64_t in = weight.size(1), classes = weight.size(0);
  double total = 0, count = 0;
  for (std::int64_t r = 0; r < labels.size(); ++r) {
    const std::int64_t label = labels.data<std::int64_t>()[r];
    if (label == options.ignore_index) continue;
    std::vector<double> logits(static_cast<std::size_t>(classes));
    for (std::int64_t c = 0; c < classes; ++c) {
      double sum = bias.defined() ? bias.data<double>()[c] : 0;
      for (std::int64_t i = 0; i < in; ++i) sum += x.data<double>()[r * in + i] * weight.data<double>()[c * in + i];
      logits[static_cast<std::size_t>(c)] = sum;
    }
    total += loss_by_loops(logits, label, options.label_smoothing);
    count += 1;
  }
  return scalar(count == 0 ? 0 : total / count, DType::float64);
}

Input labels_input(const Shape& shape, const std::vector<std::int64_t>& labels) {
  return given_input(Tensor(shape, labels));
}

OpRow linear_cross_entropy_row(const char* variant, const CrossEntropyOptions& options, std::vector<Sample> samples,
                               Sample large = {}) {
  return {.op = "linear_cross_entropy",
          .variant = variant,
          .call = [options](const Tensors& x) { return linear_cross_entropy(x[0], x[1], x[2], x[3], options); },
          .samples = std::move(samples),
          .large = std::move(large),
          .fused = true,
          .reference = [options](const Tensors& x) { return linear_cross_entropy_by_loops(x, options); },
          .optional_inputs = {2}};
}

}  // namespace

std::vector<OpRow> rows_of_linear_cross_entropy() {
  OpRow plain = linear_cross_entropy_row(
      "", {},
      {{normal_input({5, 3}), normal_input({7, 3}), normal_input({7}), labels_input({5}, {0, 6, 3, 3, 1})},
       {normal_input({2, 3, 5}), normal_input({17, 5}), absent_input(), index_input({2, 3}, 17)},
       {normal_input({4, 3}), normal_input({1, 3}), normal_input({1}), index_input({4}, 1)},
       {normal_input({3}), normal_input({3, 3}), normal_input({3}), labels_input({}, {2})},
       {normal_input({2, 0}), normal_input({3, 0}), normal_input({3}), labels_input({2}, {2, 0})},
       {normal_input({0, 3}), normal_input({7, 3}), normal_input({7}), index_input({0}, 7)}},
      {normal_input({2100, 33}), normal_input({700, 33}), normal_input({700}), index_input({2100}, 700)});
  plain.parallel = false;  // both passes end with a few numbers a class or a row, on one thread
  plain.errors = {
      {"linear_cross_entropy: label 7 in row 2 is outside the classes [0, 7)",
       [] {
         linear_cross_entropy(zeros({3, 2}), zeros({7, 2}), Tensor(), Tensor({3}, std::vector<std::int64_t>{0, 6, 7}));
       }},
      {"linear_cross_entropy: labels have shape (4,), x (3, 2); that shape without its last axis wanted",
       [] {
         linear_cross_entropy(zeros({3, 2}), zeros({7, 2}), Tensor(), zeros({4}, DType::int64));
       }},
      {"linear_cross_entropy: labels is float32, int64 wanted",
       [] {
         linear_cross_entropy(zeros({3, 2}), zeros({7, 2}), Tensor(), zeros({3}));
       }},
      {"linear_cross_entropy: x (3, 2) and weight (7, 3) do not fit, (..., in) and (classes, in) wanted",
       [] {
         linear_cross_entropy(zeros({3, 2}), zeros({7, 3}), Tensor(), zeros({3}, DType::int64));
       }},
      {"linear_cross_entropy: bias has shape (2,), (7,) wanted",
       [] {
         linear_cross_entropy(zeros({3, 2}), zeros({7, 2}), zeros({2}), zeros({3}, DType::int64));
       }},
      {"linear_cross_entropy: label_smoothing is 1.5, a number in [0, 1] wanted", [] {
         linear_cross_entropy(zeros({3, 2}), zeros({7, 2}), Tensor(), zeros({3}, DType::int64),
                              {.label_smoothing = 1.5});
       }}};
  return {
      plain,
      linear_cross_entropy_row(
          "smoothed", {.label_smoothing = 0.1},
          {{normal_input({5, 3}), normal_input({7, 3}), normal_input({7}), labels_input({5}, {0, 6, 3, 3, 1})}}),
      linear_cross_entropy_row(
          "some ignored", {.ignore_index = 3, .label_smoothing = 0.2},
          {{normal_input({2, 3}), normal_input({7, 3}), normal_input({7}), labels_input({2}, {0, 6})},
           {normal_input({5, 3}), normal_input({7, 3}), normal_input({7}), labels_input({5}, {0, 6, 3, 3, 1})},
           {normal_input({2, 3}), normal_input({7, 3}), normal_input({7}), labels_input({2}, {3, 3})}}),
      linear_cross_entropy_row(
          "blocks of classes", {.ignore_index = 3, .label_smoothing = 0.2},
          {{normal_input({3, 1}), normal_input({1100, 1}), normal_input({1100}), labels_input({3}, {3, 1050, 1})}},
          {normal_input({1030, 130}), normal_input({2048, 130}, 0, 0.1), absent_input(), index_input({1030}, 2048)})};
}

}  // namespace lintel::op_table
