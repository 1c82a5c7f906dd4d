// Rows of ops/rotary.hpp.
#include <cmath>
#include <limits>

#include <lintel/ops/rotary.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

using Positions = std::vector<std::int64_t>;

/// A pair is a complex number, and is multiplied with e^(i·a).
Tensor rotary_by_loops(const Tensors& inputs, const RotaryOptions& options) {
  const Tensor& x = inputs[0];
  const std::int64_t heads = x.size(-2), d = x.size(-1);
  Tensor y = empty(x.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t i = 0; i < x.size(); i += 2) {
    const std::int64_t row = i / (heads * d), column = i % d;
    const auto position = static_cast<double>(inputs[1].data<std::int64_t>()[row]);
    const double angle = position / std::pow(options.base, static_cast<double>(column) / static_cast<double>(d));
    const double re = x.data<double>()[i], im = x.data<double>()[i + 1], sign = options.inverse ? -1 : 1;
    output[i] = re * std::cos(angle) - sign * im * std::sin(angle);
    output[i + 1] = sign * re * std::sin(angle) + im * std::cos(angle);
  }
  return y;
}

OpRow rotary_row(const char* variant, const RotaryOptions& options) {
  return {.op = "rotary",
          .variant = variant,
          .call = [options](const Tensors& x) { return rotary(x[0], x[1], options); },
          .samples = {{normal_input({3, 2, 4}), given_input(Tensor({3}, Positions{0, 1, 7}))},
                      {normal_input({2, 3, 1, 2}), given_input(Tensor({2, 3}, Positions{-3, 1000000, 63, 64, 65, 64}))},
                      {normal_input({5, 1, 34}), index_input({5}, 300)},
                      {normal_input({65, 1, 2}), given_input(arange(100, 165))},
                      {normal_input({0, 2, 4}), index_input({0}, 9)},
                      {normal_input({2, 0, 4}), index_input({2}, 9)},
                      {normal_input({2, 3, 0}), index_input({2}, 9)}},
          .large = {normal_input({3000, 4, 32}), index_input({3000}, 100000)},
          .reference = [options](const Tensors& x) { return rotary_by_loops(x, options); }};
}

}  // namespace

std::vector<OpRow> rows_of_rotary() {
  OpRow plain = rotary_row("", {});
  plain.errors = {{"rotary: x has shape (4,), (..., heads, head_dim) wanted", [] { rotary(zeros({4}), arange(0, 1)); }},
                  {"rotary: head_dim is 3, an even number wanted",
                   [] {
                     rotary(zeros({2, 1, 3}), arange(0, 2));
                   }},
                  {"rotary: 3 positions for 2 rows of x (2, 1, 4)",
                   [] {
                     rotary(zeros({2, 1, 4}), arange(0, 3));
                   }},
                  {"rotary: positions is float32, int64 wanted",
                   [] {
                     rotary(zeros({2, 1, 4}), zeros({2}));
                   }},
                  {"rotary: base is 0, a positive number wanted",
                   [] {
                     rotary(zeros({2, 1, 4}), arange(0, 2), {.base = 0});
                   }},
                  {"rotary: works on float32 or float64, got int64; cast with to(x, dtype)", [] {
                     rotary(zeros({2, 1, 4}, DType::int64), arange(0, 2));
                   }}};
  return {plain, rotary_row("back, another base", {.base = 100, .inverse = true})};
}

}  // namespace lintel::op_table
