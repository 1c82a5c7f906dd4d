// Rows of ops/short_convolution.hpp.
#include <lintel/ops/short_convolution.hpp>

#include "attention_by_loops.hpp"
#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// y_t = Σ_j weight_j ⊙ x_t−j within each sequence, in three loops.
Tensor convolution_by_loops(const Tensor& x, const Tensor& weight, const Sequences& sequences) {
  const std::int64_t width = weight.size(0), columns = weight.size(1);
  Tensor y = zeros(x.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    for (std::int64_t row = sequences.begin(i); row < sequences.end(i); ++row) {
      for (std::int64_t tap = 0; tap < width && row - tap >= sequences.begin(i); ++tap) {
        for (std::int64_t c = 0; c < columns; ++c) {
          output[row * columns + c] +=
              weight.data<double>()[tap * columns + c] * x.data<double>()[(row - tap) * columns + c];
        }
      }
    }
  }
  return y;
}

OpRow convolution_row(const char* variant, const Sequences& sequences, std::vector<Sample> samples) {
  return {.op = "short_convolution",
          .variant = variant,
          .call = [=](const Tensors& x) { return short_convolution(x[0], x[1], sequences); },
          .samples = std::move(samples),
          .fused = true,
          .reference = [=](const Tensors& x) { return convolution_by_loops(x[0], x[1], sequences); }};
}

}  // namespace

std::vector<OpRow> rows_of_short_convolution() {
  OpRow packed = convolution_row("", sequences_of({5, 0, 1, 2}),
                                 {{normal_input({8, 3}), normal_input({4, 3})},
                                  {normal_input({8, 17}), normal_input({1, 17})},
                                  {normal_input({8, 2}), normal_input({9, 2})}});
  packed.errors = {{"short_convolution: weight has shape (4, 2), (width, 3) wanted",
                    [] {
                      short_convolution(zeros({8, 3}), zeros({4, 2}), sequences_of({8}));
                    }},
                   {"short_convolution: weight has shape (0, 3), (width, 3) wanted",
                    [] {
                      short_convolution(zeros({8, 3}), zeros({0, 3}), sequences_of({8}));
                    }},
                   {"short_convolution: x (8, 3) has 8 rows, the sequences 7",
                    [] {
                      short_convolution(zeros({8, 3}), zeros({2, 3}), sequences_of({7}));
                    }},
                   {"short_convolution: weight is float64, float32 wanted", [] {
                      short_convolution(zeros({8, 3}), zeros({2, 3}, DType::float64), sequences_of({8}));
                    }}};
  OpRow padded =
      convolution_row("padded", Sequences::padded(2, 3, {2, 3}), {{normal_input({2, 3, 4}), normal_input({3, 4})}});
  padded.nan_may_vanish = {0};  // what stands in padding may hold anything
  OpRow large = convolution_row("many sequences", sequences_of({20000, 1, 7, 9992}), {});
  large.large = {normal_input({30000, 33}), normal_input({4, 33})};
  large.float32_tolerance = {1e-3, 1e-4};  // sums of 30,000 terms
  OpRow empty = convolution_row("empty", sequences_of({}), {{normal_input({0, 3}), normal_input({2, 3})}});
  empty.nan_may_vanish = {1};
  return {packed, padded, large, empty};
}

}  // namespace lintel::op_table
