#include <cmath>
#include <limits>

#include <lintel/ops/reduce.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

using Reduction = Tensor (*)(const Tensor&, const std::vector<int>&, bool);

/// The reduction by a plain loop: `combine` takes the elements of x into their place of the result one by one.
struct Reference {
  double first;
  void (*combine)(double& result, double element);
  bool divides_by_count;
};

Tensor reduce_by_loop(const Reference& reference, const Tensor& x, const Tensor& shaped_like,
                      const std::vector<int>& axes) {
  std::vector<std::int64_t> strides(static_cast<std::size_t>(x.rank()));  // in the result; 0 along reduced axes
  std::int64_t stride = 1;
  for (int axis = x.rank(); axis-- > 0;) {
    bool reduced = axes.empty();
    for (const int given : axes) reduced = reduced || x.shape().resolve("reference", given) == axis;
    strides[static_cast<std::size_t>(axis)] = reduced ? 0 : stride;
    if (!reduced) stride *= x.size(axis);
  }
  Tensor y = full(shaped_like.shape(), reference.first, DType::float64);
  double* result = write<double>(y, "reference");
  for (std::int64_t i = 0; i < x.size(); ++i) {
    std::int64_t place = 0, rest = i;
    for (int axis = x.rank(); axis-- > 0;) {
      place += rest % x.size(axis) * strides[static_cast<std::size_t>(axis)];
      rest /= x.size(axis);
    }
    reference.combine(result[place], x.data<double>()[i]);
  }
  if (reference.divides_by_count) {
    for (std::int64_t i = 0; i < y.size(); ++i)
      result[i] /= static_cast<double>(x.size()) / static_cast<double>(y.size());
  }
  return y;
}

const Reference sum_reference = {0, [](double& result, double element) { result += element; }, false};
const Reference mean_reference = {0, [](double& result, double element) { result += element; }, true};
const Reference max_reference = {-std::numeric_limits<double>::infinity(),
                                 [](double& result, double element) {
                                   if (element > result || std::isnan(element)) result = element;
                                 },
                                 false};

OpRow reduction_row(const std::string& op, Reduction reduction, const Reference& reference, const std::string& variant,
                    const std::vector<int>& axes, bool keep_dims, const std::vector<Shape>& shapes,
                    const Shape& large) {
  std::vector<Sample> samples;
  for (const Shape& shape : shapes) samples.push_back({spaced_input(shape)});
  return {.op = op,
          .variant = variant,
          .call = [=](const Tensors& x) { return reduction(x[0], axes, keep_dims); },
          .samples = samples,
          .large = {normal_input(large)},
          .reference =
              [=](const Tensors& x) { return reduce_by_loop(reference, x[0], reduction(x[0], axes, keep_dims), axes); },
          // The smallest threads' share of a large sum still has thousands of terms.
          .float32_tolerance = {1e-3, 1e-4},
          .errors = {{op + ": works on float32 or float64, got int64; cast with to(x, dtype)",
                      [=] { reduction(arange(0, 2), {}, false); }},
                     {op + ": axis 2 is out of range for shape (2, 3)",
                      [=] {
                        reduction(zeros({2, 3}), {2}, false);
                      }},
                     {op + ": axis -1 is given twice for shape (2, 3)", [=] {
                        reduction(zeros({2, 3}), {1, -1}, false);
                      }}}};
}

void add_reduction_rows(std::vector<OpRow>& rows, const std::string& op, Reduction reduction,
                        const Reference& reference) {
  const auto row = [&](const std::string& variant, const std::vector<int>& axes, bool keep_dims,
                       const std::vector<Shape>& shapes, const Shape& large) {
    rows.push_back(reduction_row(op, reduction, reference, variant, axes, keep_dims, shapes, large));
  };
  row("all axes", {}, false, {{3, 5}, {}, {1}, {37}, {2, 1, 3}}, {300001});
  row("last axis", {-1}, false, {{3, 5}, {7}, {4, 1}, {0, 3}, {1, 33}}, {601, 501});
  row("last axis, kept", {-1}, true, {{3, 5}, {7}, {4, 1}}, {31, 20001});
  row("first axis", {0}, false, {{3, 5}, {7}, {1, 4}, {3, 0}, {33, 2}}, {601, 501});
  row("first axis, kept", {0}, true, {{3, 5}, {2, 2, 2}}, {100001, 3});
  row("middle axis", {1}, false, {{2, 3, 4}, {2, 1, 3}, {5, 3}}, {16, 301, 65});
  row("outer axes", {0, 2}, false, {{2, 3, 4}, {2, 1, 3, 2}}, {31, 3, 3001});
  row("outer axes, kept", {2, 0}, true, {{2, 3, 4}}, {31, 3, 3001});
}

}  // namespace

std::vector<OpRow> rows_of_reduce() {
  std::vector<OpRow> rows;
  add_reduction_rows(rows, "sum", sum, sum_reference);
  add_reduction_rows(rows, "mean", mean, mean_reference);
  add_reduction_rows(rows, "max", max, max_reference);
  rows.push_back({.op = "max",
                  .variant = "nothing to take it of",
                  .errors = {{"max: shape (2, 0) leaves nothing to take it of", [] {
                                max(zeros({2, 0}), {1});
                              }}}});
  rows.push_back({.op = "sum",
                  .variant = "nothing to add",
                  .call = [](const Tensors& x) { return sum(x[0], {1}); },
                  .samples = {{normal_input({3, 0, 2})}, {normal_input({0, 0})}},
                  .reference = [](const Tensors& x) { return zeros(sum(x[0], {1}).shape(), DType::float64); }});
  rows.push_back({.op = "sum_to",
                  .call = [](const Tensors& x) { return sum_to(x[0], x[1].shape()); },
                  .samples = {{normal_input({2, 3, 4}), index_input({3, 1}, 1)},
                              {normal_input({3, 4}), index_input({}, 1)},
                              {normal_input({3, 4}), index_input({3, 4}, 1)},
                              {normal_input({0, 4}), index_input({4}, 1)}},
                  .large = {normal_input({601, 501}), index_input({501}, 1)},
                  .optional_inputs = {1},
                  .float32_tolerance = {1e-3, 1e-4},
                  .errors = {{"sum_to: shape (2, 3) does not broadcast to (3,)",
                              [] {
                                sum_to(zeros({3}), {2, 3});
                              }},
                             {"sum_to: shapes (2,) and (3,) do not broadcast, each axis wants equal sizes or a 1",
                              [] { sum_to(zeros({3}), {2}); }}}});
  return rows;
}

}  // namespace lintel::op_table
