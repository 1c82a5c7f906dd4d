// The errors of the elementwise functions of one argument and of their derivatives, for every available instruction
// set, against the C library in long double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <lintel/core/isa.hpp>
#include <lintel/core/random.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <string>
#include <vector>

namespace lintel {

namespace {

using Real = long double;
constexpr Real infinite = std::numeric_limits<Real>::infinity();

// ---- What is expected ----------------------------------------------------------------------------------------------

/// One function: its value and derivative, and the largest allowed errors of the value in units in the last place of
/// the exact value (in the type's smallest number where that is denormal), for float and for double.
struct Function {
  Unary op;
  Real parameter;
  double float_ulps, double_ulps;
  Real (*value)(Real x, Real parameter);
  Real (*derivative)(Real x, Real parameter);
  bool flushes = false;  ///< may be 0 where the exact value is denormal
};

Real exact_sigmoid(Real x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

/// x·σ(z) and its derivative, 0 and 0 at −∞, ∞ and 1 at ∞.
Real exact_gate(Real x, Real z) { return x == -infinite ? 0 : x * exact_sigmoid(z); }
Real exact_gate_derivative(Real x, Real z, Real dz) {
  if (std::isinf(x)) return x > 0 ? 1 : 0;
  return exact_sigmoid(z) + x * exact_sigmoid(z) * exact_sigmoid(-z) * dz;
}

constexpr Real sqrt_half = 0.707106781186547524400844362104849039L;
constexpr Real inverse_sqrt_pi = 0.564189583547756286948079451560772586L;
constexpr Real two_sqrt_two_over_pi = 4 * inverse_sqrt_pi * sqrt_half;

Real normal_distribution(Real x) { return std::erfc(-x * sqrt_half) / 2; }
Real normal_density(Real x) { return inverse_sqrt_pi * sqrt_half * std::exp(-x * x / 2); }
Real tanh_argument(Real x) { return two_sqrt_two_over_pi * (x + 0.044715L * x * x * x); }

const Function functions[] = {
    {Unary::neg, 0, 0, 0, [](Real x, Real) { return -x; }, [](Real, Real) { return -1.0L; }},
    {Unary::abs, 0, 0, 0, [](Real x, Real) { return std::abs(x); },
     [](Real x, Real) { return x > 0   ? 1.0L
                               : x < 0 ? -1.0L
                                       : 0.0L; }},
    {Unary::exp, 0, 1, 1, [](Real x, Real) { return std::exp(x); }, [](Real x, Real) { return std::exp(x); }},
    {Unary::expm1, 0, 1.75, 2, [](Real x, Real) { return std::expm1(x); }, [](Real x, Real) { return std::exp(x); }},
    {Unary::log, 0, 1, 1, [](Real x, Real) { return std::log(x); }, [](Real x, Real) { return 1 / x; }},
    {Unary::log1p, 0, 1, 1, [](Real x, Real) { return std::log1p(x); }, [](Real x, Real) { return 1 / (1 + x); }},
    {Unary::sqrt, 0, 0.51, 0.51, [](Real x, Real) { return std::sqrt(x); },
     [](Real x, Real) { return 0.5L / std::sqrt(x); }},
    {Unary::rsqrt, 0, 1.5, 1.5, [](Real x, Real) { return 1 / std::sqrt(x); },
     [](Real x, Real) { return -0.5L / x / std::sqrt(x); }},
    {Unary::square, 0, 0.51, 0.51, [](Real x, Real) { return x * x; }, [](Real x, Real) { return 2 * x; }},
    {Unary::tanh, 0, 2, 2, [](Real x, Real) { return std::tanh(x); },
     [](Real x, Real) { return 4 * exact_sigmoid(2 * x) * exact_sigmoid(-2 * x); }},
    {Unary::erf, 0, 2, 2, [](Real x, Real) { return std::erf(x); },
     [](Real x, Real) { return 2 * inverse_sqrt_pi * std::exp(-x * x); }},
    {Unary::sigmoid, 0, 2, 2, [](Real x, Real) { return exact_sigmoid(x); },
     [](Real x, Real) { return exact_sigmoid(x) * exact_sigmoid(-x); }, true},
    {Unary::softplus, 0, 3, 2, [](Real x, Real) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); },
     [](Real x, Real) { return exact_sigmoid(x); }, true},
    {Unary::relu, 0, 0, 0, [](Real x, Real) { return x < 0 ? 0 : x; },
     [](Real x, Real) { return x <= 0 ? 0.0L : 1.0L; }},
    {Unary::gelu, 0, 4, 4.5, [](Real x, Real) { return x == -infinite ? 0 : x * normal_distribution(x); },
     [](Real x, Real) {
       if (std::isinf(x)) return x > 0 ? 1.0L : 0.0L;
       return normal_distribution(x) + x * normal_density(x);
     }},
    {Unary::gelu_tanh, 0, 3, 3, [](Real x, Real) { return exact_gate(x, tanh_argument(x)); },
     [](Real x, Real) {
       return exact_gate_derivative(x, tanh_argument(x), two_sqrt_two_over_pi * (1 + 3 * 0.044715L * x * x));
     }},
    {Unary::silu, 0, 3, 3, [](Real x, Real) { return exact_gate(x, x); },
     [](Real x, Real) { return exact_gate_derivative(x, x, 1); }},
    {Unary::elu, 0.5, 2, 2, [](Real x, Real alpha) { return x > 0 ? x : alpha * std::expm1(x); },
     [](Real x, Real alpha) { return x > 0 ? 1 : alpha * std::exp(x); }},
};

/// x^p: the error of log x counts |p| times, unless x is just multiplied.
Function power(Real p) {
  const double ulps = p == 0 || p == 1 ? 0 : p == 2 ? 0.51 : 1.25 + 0.35 * static_cast<double>(std::abs(p));
  return {.op = Unary::pow,
          .parameter = p,
          .float_ulps = ulps,
          .double_ulps = ulps,
          .value = [](Real x, Real q) { return std::pow(x, q); },
          .derivative = [](Real x, Real q) { return q == 0 ? 0 : q * std::pow(x, q - 1); }};
}

// ---- Where it is measured ------------------------------------------------------------------------------------------

/// Numbers of either sign over the whole range of T (denormal ones, zeros, infinities and NaN among them), random ones
/// of every exponent, and evenly spaced ones where functions bend.
template <class T, class Bits>
std::vector<T> samples() {
  constexpr int count = 20000;
  std::vector<T> x = {0, -std::numeric_limits<T>::quiet_NaN()};
  const auto add_both = [&](T number) { x.insert(x.end(), {number, -number}); };
  const T last = std::numeric_limits<T>::infinity();
  Bits last_bits;
  std::memcpy(&last_bits, &last, sizeof last);
  for (Bits bits = 0; bits < last_bits - last_bits / count; bits += last_bits / count) {
    T number;
    std::memcpy(&number, &bits, sizeof number);
    add_both(number);
  }
  Rng rng(1);
  const int random_numbers = sizeof(T) == 4 ? 128 : 16;  // of each exponent
  constexpr int mantissa_bits = std::numeric_limits<T>::digits - 1;
  for (Bits exponent = 0; exponent < last_bits >> mantissa_bits; ++exponent) {
    for (int i = 0; i < random_numbers; ++i) {
      const Bits mantissa = static_cast<Bits>(rng.next()) & ((Bits{1} << mantissa_bits) - 1);
      const Bits bits = (exponent << mantissa_bits) | mantissa;
      T number;
      std::memcpy(&number, &bits, sizeof number);
      add_both(number);
    }
  }
  add_both(last);
  add_both(std::numeric_limits<T>::max());
  add_both(std::numeric_limits<T>::denorm_min());
  for (const double reach : {0.1, 2.0, 12.0, sizeof(T) == 4 ? 110.0 : 760.0}) {
    for (int i = 1; i <= count; ++i) add_both(static_cast<T>(reach * i / count));
    for (int i = 1; i <= count; ++i) add_both(static_cast<T>(reach * rng.uniform()));
  }
  return x;
}

template <class T>
std::vector<T> samples();
template <>
std::vector<float> samples<float>() {
  return samples<float, std::uint32_t>();
}
template <>
std::vector<double> samples<double>() {
  return samples<double, std::uint64_t>();
}

/// |found − exact| in units in the last place of the exact value; infinite when only one is finite or NaN.
template <class T>
double error_in_ulps(T found, Real exact) {
  using limits = std::numeric_limits<T>;
  if (std::isnan(exact) || std::isnan(found)) return std::isnan(exact) && std::isnan(found) ? 0 : HUGE_VAL;
  if (std::isinf(exact)) return found == static_cast<T>(exact) ? 0 : HUGE_VAL;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const Real ulp = std::ldexp(1.0L, std::max(exponent, limits::min_exponent) - limits::digits);
  // An infinity counts as the number that would follow the largest.
  const Real value = std::isinf(found) ? std::copysign(std::ldexp(1.0L, limits::max_exponent), Real(found)) : found;
  const Real capped = std::abs(exact) > std::ldexp(1.0L, limits::max_exponent)
                          ? std::copysign(std::ldexp(1.0L, limits::max_exponent), exact)
                          : exact;
  return static_cast<double>(std::abs(value - capped) / ulp);
}

template <class T>
void check_value(const Function& function, const std::vector<T>& x, const std::vector<Real>& exact) {
  const auto& kernels = active_kernels<T>()[function.op];
  std::vector<T> y(x.size());
  kernels.forward(x.data(), y.data(), static_cast<std::int64_t>(x.size()), static_cast<T>(function.parameter));
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (function.flushes && y[i] == 0 && std::abs(exact[i]) <= std::numeric_limits<T>::min()) continue;
    const double error = error_in_ulps(y[i], exact[i]);
    if (error > worst) worst = error, at = i;
  }
  const double allowed = sizeof(T) == 4 ? function.float_ulps : function.double_ulps;
  CAPTURE(x[at]);
  CAPTURE(y[at]);
  CHECK(worst <= allowed);
}

/// Derivatives may cancel, so their error is measured against 1 where they are small.
template <class T>
void check_derivative(const Function& function, const std::vector<T>& x, const std::vector<Real>& exact) {
  const auto& kernels = active_kernels<T>()[function.op];
  const auto count = static_cast<std::int64_t>(x.size());
  const std::vector<T> ones(x.size(), T(1));
  std::vector<T> y(x.size()), dx(x.size());
  kernels.forward(x.data(), y.data(), count, static_cast<T>(function.parameter));
  kernels.vjp(ones.data(), x.data(), y.data(), dx.data(), count, static_cast<T>(function.parameter));
  const Real largest = std::numeric_limits<T>::max();
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) || std::isnan(exact[i]) || std::abs(exact[i]) > largest / 2) continue;
    const Real scale = std::max(1.0L, std::abs(exact[i])) * std::numeric_limits<T>::epsilon();
    const double error = static_cast<double>(std::abs(dx[i] - exact[i]) / scale);
    if (!(error <= worst)) worst = error, at = i;
  }
  CAPTURE(x[at]);
  CAPTURE(dx[at]);
  CHECK(worst <= 4 + static_cast<double>(std::abs(function.parameter)));
}

template <class T>
void check_function(const Function& function) {
  const std::string name = active_kernels<T>()[function.op].name;
  CAPTURE(name);
  CAPTURE(static_cast<double>(function.parameter));
  CAPTURE(8 * sizeof(T));
  const std::vector<T> x = samples<T>();
  std::vector<Real> exact, exact_derivative;
  for (const T each : x) {
    exact.push_back(function.value(each, function.parameter));
    exact_derivative.push_back(function.derivative(each, function.parameter));
  }
  const Isa before = active_isa();
  for (const Isa isa : available_isas()) {
    const std::string set = isa_name(isa);
    CAPTURE(set);
    set_active_isa(isa);
    check_value<T>(function, x, exact);
    check_derivative<T>(function, x, exact_derivative);
  }
  set_active_isa(before);
}

}  // namespace

TEST_CASE("every function of one argument is within its error, at every kind of number and for every instruction set") {
  for (const Function& function : functions) {
    check_function<float>(function);
    check_function<double>(function);
  }
}

TEST_CASE("powers are within their error, and have C's special cases") {
  for (const Real p : {0.0L, 1.0L, 2.0L, 3.0L, 0.5L, -0.5L, -1.0L, -1.5L, 2.5L, 7.0L, -8.0L, 20.25L, 1e10L}) {
    const Function function = power(p);
    check_function<float>(function);
    check_function<double>(function);
  }
}

TEST_CASE("every function of one argument is in the list above") {
  std::vector<bool> seen(static_cast<std::size_t>(unary_count), false);
  for (const Function& function : functions) seen[static_cast<std::size_t>(function.op)] = true;
  seen[static_cast<std::size_t>(Unary::pow)] = true;
  for (int i = 0; i < unary_count; ++i) {
    const std::string name = active_kernels<float>().unary[i].name;
    CAPTURE(name);
    CHECK(seen[static_cast<std::size_t>(i)]);
  }
}

}  // namespace lintel
