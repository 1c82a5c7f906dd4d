#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/shape_ops.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// y[i] = x[source(i)] for a result of the shape of `shaped_like`.
template <class Source>
Tensor picked(const Tensor& x, const Shape& shape, Source source) {
  Tensor y = empty(shape, DType::float64);
  for (std::int64_t i = 0; i < y.size(); ++i) write<double>(y, "reference")[i] = x.data<double>()[source(i)];
  return y;
}

/// The permutation by its definition: the index of an element of the result, axis by axis.
Tensor permute_by_loop(const Tensor& x, const std::vector<int>& axes) {
  std::vector<std::int64_t> sizes, strides;
  for (const int axis : axes) {
    sizes.push_back(x.size(axis));
    std::int64_t stride = 1;
    for (int inner = axis + 1; inner < x.rank(); ++inner) stride *= x.size(inner);
    strides.push_back(stride);
  }
  return picked(x, Shape(sizes), [&](std::int64_t place) {
    std::int64_t source = 0;
    for (std::size_t axis = sizes.size(); axis-- > 0;) {
      source += place % sizes[axis] * strides[axis];
      place /= sizes[axis];
    }
    return source;
  });
}

OpRow permute_row(const std::string& variant, const std::vector<int>& axes, const std::vector<Shape>& shapes,
                  const Shape& large) {
  std::vector<Sample> samples;
  for (const Shape& shape : shapes) samples.push_back({normal_input(shape)});
  return {.op = "permute",
          .variant = variant,
          .call = [=](const Tensors& x) { return permute(x[0], axes); },
          .samples = samples,
          .large = {normal_input(large)},
          .reference = [=](const Tensors& x) { return permute_by_loop(x[0], axes); }};
}

std::vector<OpRow> permute_rows() {
  return {
      permute_row("as it is", {0, 1}, {{2, 3}, {0, 3}}, {601, 501}),
      permute_row("last two of three", {0, 2, 1}, {{2, 3, 4}, {1, 33, 35}, {2, 0, 3}}, {3, 301, 401}),
      permute_row("last to the front", {2, 0, 1}, {{2, 3, 4}, {1, 2, 3}}, {100, 7, 501}),
      permute_row("middle two of four", {0, 2, 1, 3}, {{2, 3, 2, 4}, {2, 1, 3, 1}}, {3, 201, 8, 65}),
      permute_row("reversed", {2, 1, 0}, {{2, 3, 4}, {3, 1, 2}}, {101, 51, 61}),
      {.op = "permute",
       .variant = "errors",
       .errors = {{"permute: axis -1 is given twice for shape (2, 3)",
                   [] {
                     permute(zeros({2, 3}), {1, -1});
                   }},
                  {"permute: 1 axes given for shape (2, 3), every axis once wanted",
                   [] {
                     permute(zeros({2, 3}), {1});
                   }},
                  {"permute: axis 2 is out of range for shape (2, 3)",
                   [] {
                     permute(zeros({2, 3}), {0, 2});
                   }}}},
      {.op = "transpose",
       .call = [](const Tensors& x) { return transpose(x[0], 0, -1); },
       .samples = {{normal_input({2, 3, 4})}, {normal_input({5})}, {normal_input({33, 2})}},
       .large = {normal_input({601, 501})},
       .reference =
           [](const Tensors& x) {
             std::vector<int> axes;
             for (int axis = 0; axis < x[0].rank(); ++axis) axes.push_back(axis);
             std::swap(axes.front(), axes.back());
             return permute_by_loop(x[0], axes);
           },
       .errors = {{"transpose: axis -2 is out of range for shape (3,)", [] { transpose(zeros({3})); }}}},
  };
}

std::vector<OpRow> reshape_rows() {
  return {
      {.op = "reshape",
       .call =
           [](const Tensors& x) {
             return reshape(x[0], Shape{3, 4});
           },
       .samples = {{normal_input({2, 6})}, {normal_input({12})}, {normal_input({3, 4})}},
       .large = {normal_input({12})},
       .parallel = false,
       .reference =
           [](const Tensors& x) {
             return picked(x[0], {3, 4}, [](std::int64_t i) { return i; });
           },
       .errors = {{"reshape: shape (2, 3) holds 6 elements, (4,) wants 4",
                   [] {
                     reshape(zeros({2, 3}), Shape{4});
                   }},
                  {"reshape: shape (2, 3) holds 6 elements, not a multiple of 4",
                   [] {
                     reshape(zeros({2, 3}), {4, -1});
                   }},
                  {"reshape: shape (0,) holds 0 elements, not a multiple of 0",
                   [] {
                     reshape(zeros({0}), {0, -1});
                   }},
                  {"shape: axis 1 has size -1, a size of at least 0 wanted",
                   [] {
                     reshape(zeros({4}), {-1, -1});
                   }}}},
      {.op = "reshape",
       .variant = "a size worked out",
       .call =
           [](const Tensors& x) {
             return reshape(x[0], {2, -1});
           },
       .samples = {{normal_input({2, 6})}, {normal_input({2})}, {normal_input({0, 3})}},
       .reference =
           [](const Tensors& x) {
             return picked(x[0], {2, x[0].size() / 2}, [](std::int64_t i) { return i; });
           }},
  };
}

std::vector<OpRow> concat_rows() {
  return {
      {.op = "concat",
       .variant = "first axis",
       .call = [](const Tensors& x) { return concat(x, 0); },
       .samples = {{normal_input({2, 3}), normal_input({1, 3}), normal_input({0, 3})}, {normal_input({5})}},
       .large = {normal_input({3, 501}), normal_input({1600, 501})},
       .reference =
           [](const Tensors& x) {
             std::vector<double> values;
             for (const Tensor& part : x)
               values.insert(values.end(), part.values<double>().begin(), part.values<double>().end());
             return Tensor(concat(x, 0).shape(), values);
           },
       .errors = {{"concat: no tensors given, at least one wanted", [] { concat({}, 0); }},
                  {"concat: axis 2 is out of range for shape (2, 3)",
                   [] {
                     concat({zeros({2, 3})}, 2);
                   }},
                  {"concat: shapes (2, 3) and (2, 4) differ beside axis 0",
                   [] {
                     concat({zeros({2, 3}), zeros({2, 4})}, 0);
                   }},
                  {"concat: shapes (2, 3) and (3,) differ beside axis 0",
                   [] {
                     concat({zeros({2, 3}), zeros({3})}, 0);
                   }},
                  {"concat: inputs are float32 and int64, one type wanted; cast with to(x, dtype)",
                   [] {
                     concat({zeros({2}), arange(0, 2)}, 0);
                   }}}},
      {.op = "concat",
       .variant = "last axis",
       .call = [](const Tensors& x) { return concat(x, -1); },
       .samples = {{normal_input({3, 2}), normal_input({3, 4})},
                   {normal_input({2, 2, 1}), normal_input({2, 2, 0}), normal_input({2, 2, 2})},
                   {normal_input({0, 2}), normal_input({0, 1})}},
       .large = {normal_input({601, 33}), normal_input({601, 501})},
       .reference =
           [](const Tensors& x) {
             const Shape shape = concat(x, -1).shape();
             std::vector<double> values;
             for (std::int64_t row = 0; row * shape[-1] < shape.size(); ++row) {
               for (const Tensor& part : x) {
                 const double* first = part.data<double>() + row * part.size(-1);
                 values.insert(values.end(), first, first + part.size(-1));
               }
             }
             return Tensor(shape, values);
           }},
  };
}

std::vector<OpRow> slice_rows() {
  const std::string wanted = ", 0 <= begin <= end <= 3 wanted";
  return {
      {.op = "slice",
       .variant = "first axis",
       .call = [](const Tensors& x) { return slice(x[0], 0, 1, 3); },
       .samples = {{normal_input({4, 3})}, {normal_input({3})}, {normal_input({3, 0})}},
       .large = {normal_input({601, 501})},
       .parallel = false,
       .reference =
           [](const Tensors& x) {
             const std::int64_t row = x[0].size() / x[0].size(0);
             return picked(x[0], x[0].shape().with(0, 2), [=](std::int64_t i) { return i + row; });
           },
       .nan_may_vanish = {0},
       .errors = {{"slice: 2 to 4 of axis 0 of shape (3, 2)" + wanted,
                   [] {
                     slice(zeros({3, 2}), 0, 2, 4);
                   }},
                  {"slice: -1 to 2 of axis 0 of shape (3, 2)" + wanted,
                   [] {
                     slice(zeros({3, 2}), 0, -1, 2);
                   }},
                  {"slice: 2 to 1 of axis 1 of shape (2, 3)" + wanted,
                   [] {
                     slice(zeros({2, 3}), 1, 2, 1);
                   }},
                  {"slice: axis 1 is out of range for shape (3,)", [] { slice(zeros({3}), 1, 0, 1); }}}},
      {.op = "slice",
       .variant = "last axis",
       .call = [](const Tensors& x) { return slice(x[0], -1, 1, x[0].size(-1)); },
       .samples = {{normal_input({4, 3})}, {normal_input({2, 3, 1})}, {normal_input({0, 3})}},
       .large = {normal_input({601, 1501})},
       .reference =
           [](const Tensors& x) {
             const std::int64_t size = x[0].size(-1);
             return picked(x[0], x[0].shape().with(-1, size - 1),
                           [=](std::int64_t i) { return i / (size - 1) * size + i % (size - 1) + 1; });
           },
       .nan_may_vanish = {0}},
  };
}

OpRow broadcast_row() {
  return {.op = "broadcast_to",
          .call = [](const Tensors& x) { return broadcast_to(x[0], x[1].shape()); },
          .samples = {{normal_input({4}), index_input({2, 3, 4}, 1)},
                      {normal_input({3, 1}), index_input({3, 4}, 1)},
                      {normal_input({}), index_input({2, 2}, 1)},
                      {normal_input({2, 2}), index_input({2, 2}, 1)},
                      {normal_input({2, 1, 3}), index_input({2, 4, 3}, 1)},
                      {normal_input({1, 3}), index_input({0, 3}, 1)}},
          .large = {normal_input({601, 1}), index_input({601, 501}, 1)},
          .reference = [](const Tensors& x) { return add(x[0], zeros(x[1].shape(), DType::float64)); },
          .optional_inputs = {1},
          .float32_tolerance = {1e-4, 1e-4},
          .errors = {{"broadcast_to: shape (2, 3) does not broadcast to (3,)",
                      [] {
                        broadcast_to(zeros({2, 3}), {3});
                      }},
                     {"broadcast_to: shapes (2,) and (3,) do not broadcast, each axis wants equal sizes or a 1",
                      [] { broadcast_to(zeros({2}), {3}); }}}};
}

}  // namespace

std::vector<OpRow> rows_of_shape_ops() {
  std::vector<OpRow> rows = permute_rows();
  for (auto more : {reshape_rows(), concat_rows(), slice_rows()}) {
    for (OpRow& row : more) rows.push_back(std::move(row));
  }
  rows.push_back(broadcast_row());
  return rows;
}

}  // namespace lintel::op_table
