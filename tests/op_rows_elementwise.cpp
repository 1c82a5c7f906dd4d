#include <cmath>
#include <numbers>

#include <lintel/ops/elementwise.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

/// f of every element, by the standard library.
std::function<Tensor(const Tensors&)> reference_of(double (*f)(double)) {
  return [f](const Tensors& x) {
    Tensor y = empty(x[0].shape(), DType::float64);
    for (std::int64_t i = 0; i < y.size(); ++i) write<double>(y, "reference")[i] = f(x[0].data<double>()[i]);
    return y;
  };
}

/// The element of `x` that meets element `place` of a result of shape `shape`, by NumPy's rule.
std::int64_t met_by(const Shape& x, const Shape& shape, std::int64_t place) {
  std::int64_t offset = 0, stride = 1;
  for (int back = 1; back <= shape.rank(); ++back) {
    const std::int64_t index = place % shape[-back];
    place /= shape[-back];
    if (back > x.rank()) continue;
    if (x[-back] != 1) offset += index * stride;
    stride *= x[-back];
  }
  return offset;
}

/// f of every pair of elements that broadcasting brings together, for a result of the shape that `call` gives.
std::function<Tensor(const Tensors&)> reference_of(double (*f)(double, double),
                                                   Tensor (*call)(const Tensor&, const Tensor&)) {
  return [f, call](const Tensors& x) {
    Tensor y = empty(call(x[0], x[1]).shape(), DType::float64);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      write<double>(y, "reference")[i] = f(x[0].data<double>()[met_by(x[0].shape(), y.shape(), i)],
                                           x[1].data<double>()[met_by(x[1].shape(), y.shape(), i)]);
    }
    return y;
  };
}

/// A row of a function of one argument; `input` makes its argument of a given shape.
OpRow unary_row(const std::string& op, Tensor (*call)(const Tensor&), double (*reference)(double),
                Input (*input)(const Shape&), const std::string& variant = "", const std::string& in_errors = "") {
  const std::string name = in_errors.empty() ? op : in_errors;
  return {.op = op,
          .variant = variant,
          .call = [call](const Tensors& x) { return call(x[0]); },
          .samples = {{input({3, 7})}, {input({33})}, {input({})}, {input({2, 0, 3})}, {input({1, 1})}},
          .large = {input({400, 501})},
          .reference = reference_of(reference),
          .errors = {{name + ": works on float32 or float64, got int64; cast with to(x, dtype)",
                      [call] { call(arange(0, 3)); }},
                     {name + ": the input is undefined, a tensor wanted", [call] { call(Tensor()); }}}};
}

/// A row of a function of two arguments.
OpRow binary_row(const std::string& op, Tensor (*call)(const Tensor&, const Tensor&),
                 double (*reference)(double, double), Input (*input)(const Shape&), const std::string& in_errors) {
  std::vector<Sample> samples;
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{3, 5}, {3, 5}}, {{3, 5}, {5}}, {{5}, {3, 5}},       {{3, 1}, {1, 4}},    {{2, 3, 4}, {}}, {{}, {7}},
      {{}, {}},         {{1}, {1, 1}}, {{2, 1, 3}, {4, 1}}, {{2, 3, 2}, {3, 1}}, {{0, 3}, {3}},   {{4, 1}, {0}}};
  for (const auto& [a, b] : shapes) samples.push_back({input(a), input(b)});
  const std::string name = in_errors + ": ";
  return {.op = op,
          .call = [call](const Tensors& x) { return call(x[0], x[1]); },
          .samples = samples,
          .large = {input({400, 501}), input({501})},
          .reference = reference_of(reference, call),
          .errors = {{name + "shapes (2, 3) and (2,) do not broadcast, each axis wants equal sizes or a 1",
                      [call] {
                        call(zeros({2, 3}), zeros({2}));
                      }},
                     {name + "inputs are float32 and float64, one type wanted; cast with to(x, dtype)",
                      [call] { call(zeros({2}), zeros({2}, DType::float64)); }},
                     {name + "works on float32 or float64, got int64; cast with to(x, dtype)",
                      [call] { call(arange(0, 2), arange(0, 2)); }}}};
}

/// A function of one argument and a number.
OpRow number_row(const std::string& op, const std::string& variant, Tensor (*call)(const Tensor&),
                 double (*reference)(double)) {
  return {.op = op,
          .variant = variant,
          .call = [call](const Tensors& x) { return call(x[0]); },
          .samples = {{spaced_input({3, 7})}, {spaced_input({})}, {spaced_input({0})}},
          .reference = reference_of(reference)};
}

Input any(const Shape& shape) { return normal_input(shape); }
Input positive(const Shape& shape) { return uniform_input(shape, 0.5, 2.5); }
Input off_zero(const Shape& shape) { return spaced_input(shape); }
/// For a large product that must stay in range: few distinct values, none near 0 or near the half steps of `off_zero`.
Input one_to_two(const Shape& shape) { return uniform_input(shape, 1, 2); }

constexpr double factor = std::numbers::inv_sqrtpi * std::numbers::sqrt2;  // √(2/π)

double cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double logistic(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

double larger(double a, double b) { return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b); }
double smaller(double a, double b) { return std::isnan(a) || std::isnan(b) ? std::nan("") : std::min(a, b); }

std::vector<OpRow> unary_rows() {
  return {
      unary_row(
          "neg", neg, [](double x) { return -x; }, any),
      unary_row(
          "operator-", [](const Tensor& x) { return -x; }, [](double x) { return -x; }, any, "unary", "neg"),
      unary_row(
          "abs", abs, [](double x) { return std::abs(x); }, off_zero),
      unary_row(
          "exp", exp, [](double x) { return std::exp(x); }, any),
      unary_row(
          "expm1", expm1, [](double x) { return std::expm1(x); }, any),
      unary_row(
          "log", log, [](double x) { return std::log(x); }, positive),
      unary_row(
          "log1p", log1p, [](double x) { return std::log1p(x); }, positive),
      unary_row(
          "sqrt", sqrt, [](double x) { return std::sqrt(x); }, positive),
      unary_row(
          "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, positive),
      unary_row(
          "square", square, [](double x) { return x * x; }, any),
      unary_row(
          "tanh", tanh, [](double x) { return std::tanh(x); }, any),
      unary_row(
          "erf", erf, [](double x) { return std::erf(x); }, any),
      unary_row("sigmoid", sigmoid, logistic, any),
      unary_row(
          "softplus", softplus, [](double x) { return larger(x, 0) + std::log1p(std::exp(-std::abs(x))); }, any),
      unary_row(
          "relu", relu, [](double x) { return larger(x, 0); }, off_zero),
      unary_row(
          "gelu", [](const Tensor& x) { return gelu(x); }, [](double x) { return x == -INFINITY ? 0 : x * cdf(x); },
          any, "erf form"),
      unary_row(
          "gelu", [](const Tensor& x) { return gelu(x, GeluForm::tanh); },
          [](double x) { return x == -INFINITY ? 0 : 0.5 * x * (1 + std::tanh(factor * (x + 0.044715 * x * x * x))); },
          any, "tanh form", "gelu (tanh form)"),
      unary_row(
          "silu", silu, [](double x) { return x == -INFINITY ? 0 : x * logistic(x); }, any),
      unary_row(
          "elu", [](const Tensor& x) { return elu(x); }, [](double x) { return x > 0 ? x : std::expm1(x); }, off_zero),
      unary_row(
          "elu", [](const Tensor& x) { return elu(x, 0.5); }, [](double x) { return x > 0 ? x : 0.5 * std::expm1(x); },
          off_zero, "alpha 0.5"),
      unary_row(
          "pow", [](const Tensor& x) { return pow(x, 1.7); }, [](double x) { return std::pow(x, 1.7); }, positive,
          "1.7"),
      unary_row(
          "pow", [](const Tensor& x) { return pow(x, 3); }, [](double x) { return std::pow(x, 3); }, any, "3"),
      unary_row(
          "pow", [](const Tensor& x) { return pow(x, -2); }, [](double x) { return std::pow(x, -2); }, positive, "-2"),
      unary_row(
          "pow", [](const Tensor& x) { return pow(x, 1); }, [](double x) { return x; }, any, "1"),
  };
}

std::vector<OpRow> binary_rows() {
  std::vector<OpRow> rows = {
      binary_row(
          "add", add, [](double a, double b) { return a + b; }, any, "add"),
      binary_row(
          "sub", sub, [](double a, double b) { return a - b; }, any, "sub"),
      binary_row(
          "mul", mul, [](double a, double b) { return a * b; }, any, "mul"),
      binary_row(
          "div", div, [](double a, double b) { return a / b; }, one_to_two, "div"),
      binary_row("maximum", maximum, larger, any, "maximum"),
      binary_row("minimum", minimum, smaller, any, "minimum"),
      binary_row(
          "operator+", operator+, [](double a, double b) { return a + b; }, any, "add"),
      binary_row(
          "operator-", operator-, [](double a, double b) { return a - b; }, any, "sub"),
      binary_row(
          "operator*", operator*, [](double a, double b) { return a * b; }, any, "mul"),
      binary_row(
          "operator/", operator/, [](double a, double b) { return a / b; }, one_to_two, "div"),
  };
  // (400, 501) · (501): the sum over 400 rows that the small operand's gradient is.
  for (OpRow& row : rows) row.float32_tolerance = {1e-4, 1e-4};
  return rows;
}

std::vector<OpRow> number_rows() {
  return {
      number_row(
          "add", "tensor and number", [](const Tensor& x) { return x + 0.25; }, [](double x) { return x + 0.25; }),
      number_row(
          "add", "number and tensor", [](const Tensor& x) { return 0.25 + x; }, [](double x) { return 0.25 + x; }),
      number_row(
          "sub", "tensor and number", [](const Tensor& x) { return x - 0.25; }, [](double x) { return x - 0.25; }),
      number_row(
          "sub", "number and tensor", [](const Tensor& x) { return 0.25 - x; }, [](double x) { return 0.25 - x; }),
      number_row(
          "mul", "tensor and number", [](const Tensor& x) { return x * 3; }, [](double x) { return x * 3; }),
      number_row(
          "mul", "number and tensor", [](const Tensor& x) { return 3 * x; }, [](double x) { return 3 * x; }),
      number_row(
          "div", "tensor and number", [](const Tensor& x) { return x / 4; }, [](double x) { return x / 4; }),
      number_row(
          "div", "number and tensor", [](const Tensor& x) { return 1 / (x * x + 1); },
          [](double x) { return 1 / (x * x + 1); }),
      number_row(
          "maximum", "tensor and number", [](const Tensor& x) { return maximum(x, 0.0); },
          [](double x) { return larger(x, 0); }),
      number_row(
          "maximum", "number and tensor", [](const Tensor& x) { return maximum(0.0, x); },
          [](double x) { return larger(0, x); }),
      number_row(
          "minimum", "tensor and number", [](const Tensor& x) { return minimum(x, 0.0); },
          [](double x) { return smaller(x, 0); }),
      number_row(
          "minimum", "number and tensor", [](const Tensor& x) { return minimum(0.0, x); },
          [](double x) { return smaller(0, x); }),
  };
}

OpRow where_row() {
  return {.op = "where",
          .call = [](const Tensors& x) { return where(x[0], x[1], x[2]); },
          .samples = {{mask_input({4, 5}), any({4, 5}), any({4, 5})},
                      {mask_input({4, 5}), any({5}), any({})},
                      {mask_input({4, 1}), any({1, 3}), any({2, 4, 3})},
                      {mask_input({}), any({}), any({1})},
                      {mask_input({0, 2}), any({2}), any({0, 1})}},
          .large = {mask_input({400, 501}), any({400, 501}), any({501})},
          .reference =
              [](const Tensors& x) {
                Tensor y = empty(where(x[0], x[1], x[2]).shape(), DType::float64);
                for (std::int64_t i = 0; i < y.size(); ++i) {
                  const bool first = x[0].data<bool>()[met_by(x[0].shape(), y.shape(), i)];
                  const Tensor& chosen = x[first ? 1 : 2];
                  write<double>(y, "reference")[i] = chosen.data<double>()[met_by(chosen.shape(), y.shape(), i)];
                }
                return y;
              },
          .nan_may_vanish = {1, 2},
          .float32_tolerance = {1e-4, 1e-4},
          .errors = {{"where: the mask is float32, bool wanted", [] { where(zeros({2}), zeros({2}), zeros({2})); }},
                     {"where: shapes (3,) and (2,) do not broadcast, each axis wants equal sizes or a 1",
                      [] { where(zeros({3}, DType::boolean), zeros({2}), zeros({2})); }},
                     {"where: inputs are float32 and int64, one type wanted; cast with to(x, dtype)",
                      [] { where(zeros({2}, DType::boolean), zeros({2}), arange(0, 2)); }}}};
}

OpRow to_row() {
  return {.op = "to",
          .call = [](const Tensors& x) { return to(x[0], DType::float64); },
          .samples = {{any({3, 5})}, {any({})}, {any({0, 2})}},
          .large = {any({400, 501})},
          .reference = [](const Tensors& x) { return x[0]; },
          .errors = {{"to: the input is undefined, a tensor wanted", [] { to(Tensor(), DType::float32); }}}};
}

}  // namespace

std::vector<OpRow> rows_of_elementwise() {
  std::vector<OpRow> rows = unary_rows();
  for (OpRow& row : binary_rows()) rows.push_back(std::move(row));
  for (OpRow& row : number_rows()) rows.push_back(std::move(row));
  rows.push_back(where_row());
  rows.push_back(to_row());
  return rows;
}

}  // namespace lintel::op_table
