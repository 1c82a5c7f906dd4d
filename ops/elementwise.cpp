// Each function is a row of `unary_rules` or `binary_rules`: its name, its kernel, what its derivative needs, and the
// derivative in ops. A backward pass that nothing differentiates again takes the kernel instead, in one sweep.
#include <iterator>
#include <numbers>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/strided_loop.hpp>

namespace lintel {
namespace elementwise_detail {

constexpr std::int64_t block = 1 << 14;  // elements of one parallel task

// ---- One argument --------------------------------------------------------------------------------------------------

/// What the derivative is computed from: a function whose derivative is cheap in terms of its value keeps that, since
/// the next op often keeps it too.
enum class Saves { nothing, input, output };

struct UnaryRule {
  Unary kernel;
  const char* name;
  /// Elementary operations per element, roughly.
  double cost;
  Saves saves;
  /// f' as a function of the saved tensor, in ops. Null: piecewise constant, so that the kernel's slope will do.
  Tensor (*derivative)(const Tensor& saved, double parameter);
};

/// The slope of a piecewise linear function, a constant to every tape.
Tensor slope(const UnaryRule& rule, const Tensor& saved, double parameter);

/// `x` between ±limit, beyond which a derivative is constant: there a square may overflow, and 0·∞ is NaN.
Tensor bounded(const Tensor& x, double limit) { return maximum(minimum(x, limit), -limit); }

/// 2/√π·e^(−x²).
Tensor erf_derivative(const Tensor& x, double) {
  return mul(exp(neg(square(bounded(x, 30)))), 2 * std::numbers::inv_sqrtpi);
}

/// Φ(x) + x·Φ'(x).
Tensor gelu_derivative(const Tensor& x, double) {
  const double density_at_zero = 0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2;
  const Tensor distribution = mul(add(erf(mul(x, 0.5 * std::numbers::sqrt2)), 1.0), 0.5);
  const Tensor density = mul(exp(mul(square(bounded(x, 40)), -0.5)), density_at_zero);
  return add(distribution, mul(x, density));
}

/// With u = √(2/π)·(x + 0.044715·x³): (1 + tanh u)/2 + x·(1 − tanh² u)/2·u'.
Tensor gelu_tanh_derivative(const Tensor& unbounded, double) {
  const double factor = std::numbers::inv_sqrtpi * std::numbers::sqrt2;
  const Tensor x = bounded(unbounded, 20);
  const Tensor x_squared = square(x);
  const Tensor t = tanh(mul(mul(x, add(mul(x_squared, 0.044715), 1.0)), factor));
  const Tensor inner = mul(add(mul(x_squared, 3 * 0.044715), 1.0), factor);
  return mul(add(add(t, 1.0), mul(mul(x, sub(1.0, square(t))), inner)), 0.5);
}

Tensor elu_derivative(const Tensor& x, double alpha);

constexpr UnaryRule unary_rules[] = {
    {Unary::neg, "neg", 1, Saves::nothing, nullptr},
    {Unary::abs, "abs", 1, Saves::input, nullptr},
    {Unary::exp, "exp", 8, Saves::output, [](const Tensor& y, double) { return y; }},
    {Unary::expm1, "expm1", 8, Saves::output, [](const Tensor& y, double) { return add(y, 1.0); }},
    {Unary::log, "log", 8, Saves::input, [](const Tensor& x, double) { return div(1.0, x); }},
    {Unary::log1p, "log1p", 8, Saves::input, [](const Tensor& x, double) { return div(1.0, add(x, 1.0)); }},
    {Unary::sqrt, "sqrt", 2, Saves::output, [](const Tensor& y, double) { return div(0.5, y); }},
    {Unary::rsqrt, "rsqrt", 4, Saves::output, [](const Tensor& y, double) { return mul(mul(square(y), y), -0.5); }},
    {Unary::square, "square", 1, Saves::input, [](const Tensor& x, double) { return mul(x, 2.0); }},
    {Unary::pow, "pow", 20, Saves::input,
     [](const Tensor& x, double exponent) {
       return exponent == 0 ? zeros(x.shape(), x.dtype()) : mul(pow(x, exponent - 1), exponent);
     }},
    {Unary::tanh, "tanh", 10, Saves::output, [](const Tensor& y, double) { return sub(1.0, square(y)); }},
    {Unary::erf, "erf", 12, Saves::input, erf_derivative},
    {Unary::sigmoid, "sigmoid", 10, Saves::output, [](const Tensor& y, double) { return mul(y, sub(1.0, y)); }},
    {Unary::softplus, "softplus", 16, Saves::input, [](const Tensor& x, double) { return sigmoid(x); }},
    {Unary::relu, "relu", 1, Saves::input, nullptr},
    {Unary::gelu, "gelu", 16, Saves::input, gelu_derivative},
    {Unary::gelu_tanh, "gelu (tanh form)", 12, Saves::input, gelu_tanh_derivative},
    {Unary::silu, "silu", 10, Saves::input,
     [](const Tensor& x, double) {
       const Tensor s = sigmoid(x);
       return mul(s, add(mul(x, sub(1.0, s)), 1.0));
     }},
    {Unary::elu, "elu", 10, Saves::input, elu_derivative},
};
static_assert(std::size(unary_rules) == unary_count);

constexpr bool unary_rules_are_in_order() {
  for (int i = 0; i < unary_count; ++i) {
    if (static_cast<int>(unary_rules[i].kernel) != i) return false;
  }
  return true;
}
static_assert(unary_rules_are_in_order());

/// 1 above 0, alpha·eˣ below.
Tensor elu_derivative(const Tensor& x, double alpha) {
  const Tensor is_above = slope(unary_rules[static_cast<int>(Unary::relu)], x, 0);
  const Tensor below = mul(exp(minimum(x, 0.0)), alpha);
  return add(is_above, mul(sub(1.0, is_above), below));
}

/// cotangent·f' by the kernel, from whichever of x and f(x) was saved.
Tensor unary_vjp_by_kernel(const UnaryRule& rule, const Tensor& cotangent, const Tensor& saved, double parameter) {
  Tensor result = empty(saved.shape(), saved.dtype());
  with_float_type(rule.name, saved.dtype(), [&]<class T>() {
    const auto kernel = active_kernels<T>()[rule.kernel].vjp;
    const T* g = cotangent.data<T>();
    const T* kept = saved.data<T>();  // stands in for x and for y: the kernel uses the one that its rule saves
    T* dx = write<T>(result, rule.name);
    parallel_blocks(saved.size(), block, rule.cost, [&](std::int64_t begin, std::int64_t end) {
      kernel(g + begin, kept + begin, kept + begin, dx + begin, end - begin, static_cast<T>(parameter));
    });
  });
  return result;
}

Tensor slope(const UnaryRule& rule, const Tensor& saved, double parameter) {
  return unary_vjp_by_kernel(rule, ones(saved.shape(), saved.dtype()), saved, parameter);
}

Tensor unary_vjp(const UnaryRule& rule, const Tensor& cotangent, const Tensor& saved, double parameter) {
  if (!is_recording({cotangent, saved})) return unary_vjp_by_kernel(rule, cotangent, saved, parameter);
  return mul(cotangent, rule.derivative ? rule.derivative(saved, parameter) : slope(rule, saved, parameter));
}

Tensor apply_unary(Unary function, const Tensor& x, double parameter = 0) {
  const UnaryRule& rule = unary_rules[static_cast<int>(function)];
  check_defined(rule.name, x, "the input");
  Tensor y = empty(x.shape(), x.dtype());
  with_float_type(rule.name, x.dtype(), [&]<class T>() {
    const auto kernel = active_kernels<T>()[function].forward;
    const T* from = x.data<T>();
    T* to = write<T>(y, rule.name);
    parallel_blocks(x.size(), block, rule.cost, [&](std::int64_t begin, std::int64_t end) {
      kernel(from + begin, to + begin, end - begin, static_cast<T>(parameter));
    });
  });
  record({.name = rule.name,
          .inputs = {x},
          .outputs = {y},
          .saved = {rule.saves == Saves::nothing  ? Tensor()
                    : rule.saves == Saves::output ? y
                                                  : x},
          .vjp = [&rule, parameter](const Backward& backward) {
            const Tensor& g = backward.cotangent();
            const Tensor& saved = rule.saves == Saves::nothing ? g : backward.saved(0);
            return std::vector{unary_vjp(rule, g, saved, parameter)};
          }});
  return y;
}

// ---- Two arguments -------------------------------------------------------------------------------------------------

/// The cotangent of one operand, of the shape of the result, from the result's and both operands.
using OperandVjp = Tensor (*)(const Tensor& cotangent, const Tensor& a, const Tensor& b);

/// A set of operands.
enum Operands : unsigned { neither = 0, operand_a = 1, operand_b = 2, both = 3 };

struct BinaryRule {
  Binary kernel;
  const char* name;
  OperandVjp vjp_a, vjp_b;
  /// What each of them reads.
  Operands needs_a, needs_b;
};

/// Undoes the broadcasting of an operand of `shape`.
Tensor for_operand(const Tensor& cotangent, const Shape& shape) {
  return cotangent.shape() == shape ? cotangent : sum_to(cotangent, shape);
}

/// df/da (or df/db) of `maximum` and `minimum`: 1, 1/2 or 0, a constant to every tape.
Tensor share_of_operand(Binary function, const Tensor& a, const Tensor& b, bool of_a) {
  const Shape shape = broadcast_shapes("maximum", a.shape(), b.shape());
  const Tensor all_of_it = ones(shape, a.dtype());
  const Tensor first = broadcast_to(stop_gradient(a), shape), second = broadcast_to(stop_gradient(b), shape);
  Tensor share = zeros(shape, a.dtype());
  with_float_type("maximum", a.dtype(), [&]<class T>() {
    const auto kernel = active_kernels<T>()[function].vjp;
    const T* g = all_of_it.data<T>();
    const T *x = first.data<T>(), *y = second.data<T>();
    T* target = write<T>(share, "maximum");
    parallel_blocks(shape.size(), block, 2, [&](std::int64_t begin, std::int64_t end) {
      T* part = target + begin;
      kernel(g + begin, x + begin, 1, y + begin, 1, of_a ? part : nullptr, of_a ? nullptr : part, end - begin);
    });
  });
  return share;
}

template <Binary function, bool of_a>
Tensor share_cotangent(const Tensor& cotangent, const Tensor& a, const Tensor& b) {
  return mul(cotangent, share_of_operand(function, a, b, of_a));
}

constexpr OperandVjp pass = [](const Tensor& g, const Tensor&, const Tensor&) { return g; };

constexpr BinaryRule binary_rules[] = {
    {Binary::add, "add", pass, pass, neither, neither},
    {Binary::sub, "sub", pass, [](const Tensor& g, const Tensor&, const Tensor&) { return neg(g); }, neither, neither},
    {Binary::mul, "mul", [](const Tensor& g, const Tensor&, const Tensor& b) { return mul(g, b); },
     [](const Tensor& g, const Tensor& a, const Tensor&) { return mul(g, a); }, operand_b, operand_a},
    {Binary::div, "div", [](const Tensor& g, const Tensor&, const Tensor& b) { return div(g, b); },
     [](const Tensor& g, const Tensor& a, const Tensor& b) { return neg(mul(div(g, b), div(a, b))); }, operand_b, both},
    {Binary::maximum, "maximum", share_cotangent<Binary::maximum, true>, share_cotangent<Binary::maximum, false>, both,
     both},
    {Binary::minimum, "minimum", share_cotangent<Binary::minimum, true>, share_cotangent<Binary::minimum, false>, both,
     both},
};
static_assert(std::size(binary_rules) == binary_count);

template <class T>
void run_binary(const BinaryRule& rule, const Tensor& a, const Tensor& b, const Tensor& y) {
  const auto kernel = active_kernels<T>()[rule.kernel].forward;
  const T *first = a.data<T>(), *second = b.data<T>();
  T* target = write<T>(y, rule.name);
  const StridedLoop<2> loop = broadcast_loop<2>(y.shape(), {&a.shape(), &b.shape()});
  const auto steps = loop.inner_strides();
  parallel_blocks(y.size(), block, 1, [&](std::int64_t begin, std::int64_t end) {
    loop.run(begin, end, [&](std::int64_t place, std::int64_t count, const auto& offsets) {
      kernel(first + offsets[0], steps[0], second + offsets[1], steps[1], target + place, count);
    });
  });
}

Tensor apply_binary(Binary function, const Tensor& a, const Tensor& b) {
  const BinaryRule& rule = binary_rules[static_cast<int>(function)];
  check_same_dtype(rule.name, a, b);
  Tensor y = empty(broadcast_shapes(rule.name, a.shape(), b.shape()), a.dtype());
  with_float_type(rule.name, a.dtype(), [&]<class T>() { run_binary<T>(rule, a, b, y); });
  const bool a_tracked = is_recording({a}), b_tracked = is_recording({b});
  if (!a_tracked && !b_tracked) return y;
  // A constant factor must not keep the other operand alive: what a cotangent needs is saved only if it is tracked.
  const unsigned needed = (a_tracked ? rule.needs_a : neither) | (b_tracked ? rule.needs_b : neither);
  record({.name = rule.name,
          .inputs = {a, b},
          .outputs = {y},
          .saved = {needed & operand_a ? a : Tensor(), needed & operand_b ? b : Tensor()},
          .vjp = [&rule, a_shape = a.shape(), b_shape = b.shape()](const Backward& backward) {
            const Tensor &g = backward.cotangent(), &saved_a = backward.saved(0), &saved_b = backward.saved(1);
            std::vector<Tensor> cotangents(2);
            if (backward.wants(0)) cotangents[0] = for_operand(rule.vjp_a(g, saved_a, saved_b), a_shape);
            if (backward.wants(1)) cotangents[1] = for_operand(rule.vjp_b(g, saved_a, saved_b), b_shape);
            return cotangents;
          }});
  return y;
}

/// A number as a tensor of the type of the operand beside it.
Tensor number_beside(const char* op, const Tensor& operand, double number) {
  check_defined(op, operand, "the input");
  return scalar(number, operand.dtype());
}

template <Binary function>
Tensor apply_with_number(const Tensor& a, double b) {
  return apply_binary(function, a, number_beside(binary_rules[static_cast<int>(function)].name, a, b));
}

template <Binary function>
Tensor apply_with_number(double a, const Tensor& b) {
  return apply_binary(function, number_beside(binary_rules[static_cast<int>(function)].name, b, a), b);
}

template <class T>
void run_where(const Tensor& mask, const Tensor& a, const Tensor& b, const Tensor& y) {
  const auto kernel = active_kernels<T>().where;
  const bool* condition = mask.data<bool>();
  const T *first = a.data<T>(), *second = b.data<T>();
  T* target = write<T>(y, "where");
  const StridedLoop<3> loop = broadcast_loop<3>(y.shape(), {&mask.shape(), &a.shape(), &b.shape()});
  const auto steps = loop.inner_strides();
  parallel_blocks(y.size(), block, 1, [&](std::int64_t begin, std::int64_t end) {
    loop.run(begin, end, [&](std::int64_t place, std::int64_t count, const auto& offsets) {
      kernel(condition + offsets[0], steps[0], first + offsets[1], steps[1], second + offsets[2], steps[2],
             target + place, count);
    });
  });
}

}  // namespace elementwise_detail

Tensor neg(const Tensor& x) { return elementwise_detail::apply_unary(Unary::neg, x); }
Tensor abs(const Tensor& x) { return elementwise_detail::apply_unary(Unary::abs, x); }
Tensor exp(const Tensor& x) { return elementwise_detail::apply_unary(Unary::exp, x); }
Tensor expm1(const Tensor& x) { return elementwise_detail::apply_unary(Unary::expm1, x); }
Tensor log(const Tensor& x) { return elementwise_detail::apply_unary(Unary::log, x); }
Tensor log1p(const Tensor& x) { return elementwise_detail::apply_unary(Unary::log1p, x); }
Tensor sqrt(const Tensor& x) { return elementwise_detail::apply_unary(Unary::sqrt, x); }
Tensor rsqrt(const Tensor& x) { return elementwise_detail::apply_unary(Unary::rsqrt, x); }
Tensor square(const Tensor& x) { return elementwise_detail::apply_unary(Unary::square, x); }
Tensor pow(const Tensor& x, double exponent) { return elementwise_detail::apply_unary(Unary::pow, x, exponent); }
Tensor tanh(const Tensor& x) { return elementwise_detail::apply_unary(Unary::tanh, x); }
Tensor erf(const Tensor& x) { return elementwise_detail::apply_unary(Unary::erf, x); }
Tensor sigmoid(const Tensor& x) { return elementwise_detail::apply_unary(Unary::sigmoid, x); }
Tensor softplus(const Tensor& x) { return elementwise_detail::apply_unary(Unary::softplus, x); }
Tensor relu(const Tensor& x) { return elementwise_detail::apply_unary(Unary::relu, x); }
Tensor gelu(const Tensor& x, GeluForm form) {
  return elementwise_detail::apply_unary(form == GeluForm::erf ? Unary::gelu : Unary::gelu_tanh, x);
}
Tensor silu(const Tensor& x) { return elementwise_detail::apply_unary(Unary::silu, x); }
Tensor elu(const Tensor& x, double alpha) { return elementwise_detail::apply_unary(Unary::elu, x, alpha); }

Tensor add(const Tensor& a, const Tensor& b) { return elementwise_detail::apply_binary(Binary::add, a, b); }
Tensor add(const Tensor& a, double b) { return elementwise_detail::apply_with_number<Binary::add>(a, b); }
Tensor add(double a, const Tensor& b) { return elementwise_detail::apply_with_number<Binary::add>(a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return elementwise_detail::apply_binary(Binary::sub, a, b); }
Tensor sub(const Tensor& a, double b) { return elementwise_detail::apply_with_number<Binary::sub>(a, b); }
Tensor sub(double a, const Tensor& b) { return elementwise_detail::apply_with_number<Binary::sub>(a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return elementwise_detail::apply_binary(Binary::mul, a, b); }
Tensor mul(const Tensor& a, double b) { return elementwise_detail::apply_with_number<Binary::mul>(a, b); }
Tensor mul(double a, const Tensor& b) { return elementwise_detail::apply_with_number<Binary::mul>(a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return elementwise_detail::apply_binary(Binary::div, a, b); }
Tensor div(const Tensor& a, double b) { return elementwise_detail::apply_with_number<Binary::div>(a, b); }
Tensor div(double a, const Tensor& b) { return elementwise_detail::apply_with_number<Binary::div>(a, b); }
Tensor maximum(const Tensor& a, const Tensor& b) { return elementwise_detail::apply_binary(Binary::maximum, a, b); }
Tensor maximum(const Tensor& a, double b) { return elementwise_detail::apply_with_number<Binary::maximum>(a, b); }
Tensor maximum(double a, const Tensor& b) { return elementwise_detail::apply_with_number<Binary::maximum>(a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return elementwise_detail::apply_binary(Binary::minimum, a, b); }
Tensor minimum(const Tensor& a, double b) { return elementwise_detail::apply_with_number<Binary::minimum>(a, b); }
Tensor minimum(double a, const Tensor& b) { return elementwise_detail::apply_with_number<Binary::minimum>(a, b); }

Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b) {
  check_dtype("where", mask, DType::boolean, "the mask");
  check_same_dtype("where", a, b);
  const Shape shape = broadcast_shapes("where", mask.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  Tensor y = empty(shape, a.dtype());
  with_float_type("where", a.dtype(), [&]<class T>() { elementwise_detail::run_where<T>(mask, a, b, y); });
  record({.name = "where",
          .inputs = {a, b},
          .outputs = {y},
          .saved = {mask},
          .vjp = [a_shape = a.shape(), b_shape = b.shape()](const Backward& backward) {
            const Tensor &g = backward.cotangent(), &condition = backward.saved(0);
            const Tensor zero = scalar(0, g.dtype());
            std::vector<Tensor> cotangents(2);
            if (backward.wants(0)) cotangents[0] = elementwise_detail::for_operand(where(condition, g, zero), a_shape);
            if (backward.wants(1)) cotangents[1] = elementwise_detail::for_operand(where(condition, zero, g), b_shape);
            return cotangents;
          }});
  return y;
}

Tensor to(const Tensor& x, DType dtype) {
  check_defined("to", x, "the input");
  Tensor y = convert(x, dtype);
  if (!is_floating(x.dtype()) || !is_floating(dtype)) return y;
  record(
      {.name = "to", .inputs = {x}, .outputs = {y}, .saved = {}, .vjp = [from = x.dtype()](const Backward& backward) {
         return std::vector{to(backward.cotangent(), from)};
       }});
  return y;
}

}  // namespace lintel
