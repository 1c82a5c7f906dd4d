// Rows of ops/mse.hpp.
#include <lintel/ops/mse.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

Tensor mse_by_loops(const Tensor& prediction, const Tensor& target) {
  double sum = 0;
  for (std::int64_t i = 0; i < prediction.size(); ++i) {
    const double difference = prediction.data<double>()[i] - target.data<double>()[i];
    sum += difference * difference;
  }
  return scalar(sum / static_cast<double>(prediction.size()), DType::float64);
}

}  // namespace

std::vector<OpRow> rows_of_mse() {
  return {{.op = "mse",
           .call = [](const Tensors& x) { return mse(x[0], x[1]); },
           .samples = {{normal_input({5, 7}), normal_input({5, 7})},
                       {normal_input({17}), normal_input({17})},
                       {normal_input({}), normal_input({})},
                       {normal_input({0, 3}), normal_input({0, 3})}},
           .large = {normal_input({8, 20000}), normal_input({8, 20000})},
           .fused = true,
           .reference = [](const Tensors& x) { return mse_by_loops(x[0], x[1]); },
           .errors = {{"mse: prediction has shape (5, 7), target (7, 5), one shape wanted",
                       [] {
                         mse(zeros({5, 7}), zeros({7, 5}));
                       }},
                      {"mse: inputs are float32 and float64, one type wanted; cast with to(x, dtype)",
                       [] { mse(zeros({5}), zeros({5}, DType::float64)); }}}}};
}

}  // namespace lintel::op_table
