// Rows of ops/cross_entropy.hpp.
#include <cmath>

#include <lintel/ops/cross_entropy.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

Tensor cross_entropy_by_loops(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  const std::int64_t classes = logits.size(-1);
  double total = 0, count = 0;
  for (std::int64_t r = 0; r < labels.size(); ++r) {
    const std::int64_t label = labels.data<std::int64_t>()[r];
    if (label == options.ignore_index) continue;
    const double* x = logits.data<double>() + r * classes;
    double sum = 0, mean = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(x[c]);
    for (std::int64_t c = 0; c < classes; ++c) mean += (std::log(sum) - x[c]) / static_cast<double>(classes);
    const double loss = std::log(sum) - x[label];
    total += options.label_smoothing > 0 ? (1 - options.label_smoothing) * loss + options.label_smoothing * mean : loss;
    count += 1;
  }
  return scalar(count == 0 ? 0 : total / count, DType::float64);
}

Input labels_input(const Shape& shape, const std::vector<std::int64_t>& labels) {
  return given_input(Tensor(shape, labels));
}

OpRow cross_entropy_row(const char* variant, const CrossEntropyOptions& options, std::vector<Sample> samples) {
  return {.op = "cross_entropy",
          .variant = variant,
          .call = [options](const Tensors& x) { return cross_entropy(x[0], x[1], options); },
          .samples = std::move(samples),
          .large = {normal_input({300, 501}), index_input({300}, 501)},
          .fused = true,
          .reference = [options](const Tensors& x) { return cross_entropy_by_loops(x[0], x[1], options); }};
}

}  // namespace

std::vector<OpRow> rows_of_cross_entropy() {
  OpRow plain = cross_entropy_row("", {},
                                  {{normal_input({5, 7}), labels_input({5}, {0, 6, 3, 3, 1})},
                                   {normal_input({2, 3, 17}), index_input({2, 3}, 17)},
                                   {normal_input({4, 1}), index_input({4}, 1)},
                                   {normal_input({3}), labels_input({}, {2})},
                                   {normal_input({1, 1100}), labels_input({1}, {1050})},
                                   {normal_input({0, 7}), index_input({0}, 7)}});
  plain.errors = {{"cross_entropy: label 7 in row 2 is outside the classes [0, 7)",
                   [] {
                     cross_entropy(zeros({3, 7}), Tensor({3}, std::vector<std::int64_t>{0, 6, 7}));
                   }},
                  {"cross_entropy: label -1 in row 0 is outside the classes [0, 7)",
                   [] {
                     cross_entropy(zeros({1, 7}), Tensor({1}, std::vector<std::int64_t>{-1}));
                   }},
                  {"cross_entropy: labels have shape (4,), logits (3, 7); that shape without its last axis wanted",
                   [] {
                     cross_entropy(zeros({3, 7}), zeros({4}, DType::int64));
                   }},
                  {"cross_entropy: labels is float32, int64 wanted",
                   [] {
                     cross_entropy(zeros({3, 7}), zeros({3}));
                   }},
                  {"cross_entropy: label_smoothing is 1.5, a number in [0, 1] wanted", [] {
                     cross_entropy(zeros({3, 7}), zeros({3}, DType::int64), {.label_smoothing = 1.5});
                   }}};
  return {plain,
          cross_entropy_row("smoothed", {.label_smoothing = 0.1},
                            {{normal_input({5, 7}), labels_input({5}, {0, 6, 3, 3, 1})}}),
          cross_entropy_row("some ignored", {.ignore_index = 3, .label_smoothing = 0.2},
                            {{normal_input({2, 7}), labels_input({2}, {0, 6})},
                             {normal_input({5, 7}), labels_input({5}, {0, 6, 3, 3, 1})},
                             {normal_input({2, 7}), labels_input({2}, {3, 3})}})};
}

}  // namespace lintel::op_table
