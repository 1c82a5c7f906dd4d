// Rows of ops/dropout.hpp.
#include <lintel/ops/dropout.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

Tensor dropout_by_loops(const Tensor& x, double rate, std::uint64_t key) {
  Tensor y = empty(x.shape(), DType::float64);
  double* output = write<double>(y, "reference");
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const auto place = static_cast<std::uint64_t>(i);
    const std::uint32_t word = philox(key, place / 4)[place % 4];
    output[i] = static_cast<double>(word) >= rate * 0x1p32 ? x.data<double>()[i] / (1 - rate) : 0;
  }
  return y;
}

}  // namespace

std::vector<OpRow> rows_of_dropout() {
  return {{.op = "dropout",
           .call = [](const Tensors& x) { return dropout(x[0], 0.25, 7); },
           .samples = {{normal_input({5, 7})}, {normal_input({})}, {normal_input({3, 99})}, {normal_input({0, 3})}},
           .large = {normal_input({7, 20001})},
           .reference = [](const Tensors& x) { return dropout_by_loops(x[0], 0.25, 7); },
           .nan_may_vanish = {0},
           .errors = {{"dropout: rate is 1, a number in [0, 1) wanted", [] { dropout(zeros({5}), 1, 7); }},
                      {"dropout: rate is -0.5, a number in [0, 1) wanted", [] { dropout(zeros({5}), -0.5, 7); }},
                      {"dropout: works on float32 or float64, got int64; cast with to(x, dtype)",
                       [] { dropout(arange(0, 5), 0, 7); }}}},
          {.op = "dropout",
           .variant = "rate 0",
           .call = [](const Tensors& x) { return dropout(x[0], 0, 7); },
           .samples = {{normal_input({5, 7})}},
           .reference = [](const Tensors& x) { return x[0]; }}};
}

}  // namespace lintel::op_table
