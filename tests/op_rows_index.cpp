#include <lintel/ops/index.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

using Ids = std::vector<std::int64_t>;

OpRow embedding_row() {
  return {
      .op = "embedding",
      .call = [](const Tensors& x) { return embedding(x[0], x[1]); },
      .samples = {{normal_input({5, 3}), given_input(Tensor({2, 3}, Ids{4, 2, 1, 0, 3, 2}))},
                  {normal_input({5, 3}), index_input({7}, 5)},
                  {normal_input({1, 33}), index_input({}, 1)},
                  {normal_input({5, 3}), index_input({0}, 5)},
                  {normal_input({5, 0}), index_input({2}, 5)}},
      .large = {normal_input({50, 500}), index_input({20, 100}, 50)},
      .reference =
          [](const Tensors& x) {
            std::vector<double> values;
            for (const std::int64_t id : x[1].values<std::int64_t>()) {
              const double* row = x[0].data<double>() + id * x[0].size(1);
              values.insert(values.end(), row, row + x[0].size(1));
            }
            return Tensor(embedding(x[0], x[1]).shape(), values);
          },
      .float32_tolerance = {1e-4, 1e-4},
      .errors = {{"embedding: id 5 at position 1 is outside [0, 5)",
                  [] {
                    embedding(zeros({5, 2}), Tensor({2}, Ids{0, 5}));
                  }},
                 {"embedding: id -1 at position 0 is outside [0, 5)",
                  [] {
                    embedding(zeros({5, 2}), Tensor({2}, Ids{-1, 0}));
                  }},
                 {"embedding: ids is float32, int64 wanted",
                  [] {
                    embedding(zeros({5, 2}), zeros({2}));
                  }},
                 {"embedding: table has shape (5,), (rows, width) wanted", [] { embedding(zeros({5}), arange(0, 2)); }},
                 {"embedding: works on float32 or float64, got int64; cast with to(x, dtype)",
                  [] {
                    embedding(zeros({5, 2}, DType::int64), arange(0, 2));
                  }},
                 {"embedding: ids of shape (1, 1, 1, 1, 1, 1, 1, 1) leave no room for one more axis", [] {
                    embedding(zeros({5, 2}), zeros({1, 1, 1, 1, 1, 1, 1, 1}, DType::int64));
                  }}}};
}

OpRow gather_row(const std::string& variant, int axis, const std::vector<Sample>& samples, const Sample& large) {
  return {.op = "gather",
          .variant = variant,
          .call = [axis](const Tensors& x) { return gather(x[0], axis, x[1]); },
          .samples = samples,
          .large = large,
          .reference =
              [axis](const Tensors& x) {
                Tensor y = empty(x[1].shape(), DType::float64);
                std::int64_t inner = 1;
                for (int i = x[0].shape().resolve("reference", axis) + 1; i < x[0].rank(); ++i) inner *= x[0].size(i);
                for (std::int64_t i = 0; i < y.size(); ++i) {
                  const std::int64_t outer = i / inner / y.size(axis), id = x[1].data<std::int64_t>()[i];
                  write<double>(y, "reference")[i] =
                      x[0].data<double>()[(outer * x[0].size(axis) + id) * inner + i % inner];
                }
                return y;
              },
          .nan_may_vanish = {0},
          .float32_tolerance = {1e-4, 1e-4}};
}

std::vector<OpRow> gather_rows() {
  std::vector<OpRow> rows = {
      gather_row("last axis", -1,
                 {{normal_input({3, 4}), index_input({3, 2}, 4)},
                  {normal_input({4}), index_input({9}, 4)},
                  {normal_input({0, 4}), index_input({0, 2}, 4)},
                  {normal_input({2, 4}), index_input({2, 0}, 4)}},
                 {normal_input({601, 501}), index_input({601, 301}, 501)}),
      gather_row("first axis", 0,
                 {{normal_input({3, 4}), index_input({2, 4}, 3)}, {normal_input({3, 2, 2}), index_input({5, 2, 2}, 3)}},
                 {normal_input({51, 5001}), index_input({41, 5001}, 51)}),
  };
  rows.front().errors = {
      {"gather: index 4 at position 2 is outside [0, 4)",
       [] {
         gather(zeros({4}), 0, Tensor({3}, Ids{0, 1, 4}));
       }},
      {"gather: index has shape (2, 2), that of x, (3, 4), wanted beside axis 1",
       [] {
         gather(zeros({3, 4}), 1, zeros({2, 2}, DType::int64));
       }},
      {"gather: index has shape (3,), that of x, (3, 4), wanted beside axis 1",
       [] {
         gather(zeros({3, 4}), 1, zeros({3}, DType::int64));
       }},
      {"gather: index is float32, int64 wanted", [] { gather(zeros({3}), 0, zeros({3})); }},
      {"gather: axis 1 is out of range for shape (3,)", [] { gather(zeros({3}), 1, arange(0, 3)); }}};
  return rows;
}

OpRow one_hot_row() {
  return {.op = "one_hot",
          .call = [](const Tensors& x) { return one_hot(x[0], 5, DType::float64); },
          .samples = {{index_input({2, 3}, 5)}, {index_input({}, 5)}, {index_input({0}, 5)}},
          .reference =
              [](const Tensors& x) {
                std::vector<double> values;
                for (const std::int64_t id : x[0].values<std::int64_t>()) {
                  for (std::int64_t c = 0; c < 5; ++c) values.push_back(c == id ? 1 : 0);
                }
                return Tensor(one_hot(x[0], 5).shape(), values);
              },
          .errors = {{"one_hot: id 5 at position 0 is outside [0, 5)", [] { one_hot(Tensor({1}, Ids{5}), 5); }},
                     {"one_hot: ids is float32, int64 wanted", [] { one_hot(zeros({2}), 5); }},
                     {"one_hot: -1 classes, at least 0 wanted", [] { one_hot(arange(0, 0), -1); }}}};
}

}  // namespace

std::vector<OpRow> rows_of_index() {
  std::vector<OpRow> rows = gather_rows();
  rows.push_back(embedding_row());
  OpRow few_rows = embedding_row();  // so many ids a row that tasks share it, column by column
  few_rows.variant = "few rows";
  few_rows.samples = {{normal_input({2, 3}), given_input(Tensor({5}, Ids{1, 1, 1, 1, 1}))}};
  few_rows.large = {normal_input({3, 500}), index_input({2000}, 3)};
  few_rows.errors = {};
  rows.push_back(few_rows);
  rows.push_back(one_hot_row());
  return rows;
}

}  // namespace lintel::op_table
