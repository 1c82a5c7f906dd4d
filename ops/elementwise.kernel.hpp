// Elementwise functions and their kernels, once per instruction set: no include guard, see kernels.isa.hpp.
//
// A function is a row of the tables below: its index and name, f, and df. To add one, write its row, append it to the
// list behind the table, and add its enumerator in kernel_table.hpp, which says which of x and y its df may read.
//
// At a kink the derivative is PyTorch's: abs'(0) = relu'(0) = 0, elu'(0) = alpha, and equal arguments of maximum or
// minimum get half the gradient each. sqrt'(0) and rsqrt'(0) are infinite, as IEEE arithmetic gives them.

namespace lintel::kernels::LINTEL_ISA {

// ---- Derivatives that need more than a line ----

#define LINTEL_INLINE [[gnu::always_inline]] inline

template <class T>
LINTEL_INLINE vec<T> pow_derivative(vec<T> x, T p) {
  return p == T(0) ? vec<T>::zero() : p * pow(x, p - 1);
}

/// 2/√π·e^(−x²).
template <class T>
LINTEL_INLINE vec<T> erf_derivative(vec<T> x) {
  const vec<T> bounded = at_most(abs(x), T(30));  // e^-900 is 0 in double
  return times_gaussian(vec<T>(T(1.12837916709551257390)), bounded, T(1));
}

/// Φ(x) + x·φ(x), with the distribution and the density of a normal variable. At −b that is P(X > b) − b·φ(b), and the
/// values at −b and at b add up to 1.
template <class T>
LINTEL_INLINE vec<T> gelu_derivative(vec<T> x) {
  const vec<T> b = tail_argument(x);
  const vec<T> at_minus_b = times_gaussian(fnma(b, T(0.39894228040143267794), scaled_tail(b)), b, T(0.5));
  return select(x < 0, at_minus_b, 1 - at_minus_b);
}

/// d/dx x·σ(z) = s + x·s·(1 − s)·dz with s = σ(z), given e^−|z|, where z has the sign of x.
template <class T>
LINTEL_INLINE vec<T> gate_derivative(vec<T> x, Exponential<T> exponential, vec<T> dz) {
  const vec<T> e = scale_by_power(exponential.fraction + 1, exponential.exponent);
  const vec<T> larger = 1 / (1 + e);  // σ(|z|); e times it is σ(−|z|)
  const vec<T> s = select(x < 0, e, 1) * larger;
  return fma(x * dz, e * larger * larger, s);
}

template <class T>
LINTEL_INLINE vec<T> silu_derivative(vec<T> x) {
  const vec<T> bounded = at_most(abs(x), for_type<T>(120, 760));
  return gate_derivative(copysign(bounded, x), exponential(-bounded, vec<T>::zero()), vec<T>(1));
}

template <class T>
LINTEL_INLINE vec<T> gelu_tanh_derivative(vec<T> x) {
  const vec<T> bounded = at_most(abs(x), gelu_tanh_saturates<T>);
  const vec<T> dz = fma(T(3 * gelu_tanh_cubic), bounded * bounded, T(gelu_tanh_linear));
  return gate_derivative(copysign(bounded, x), gelu_tanh_exponential(bounded), dz);
}

#undef LINTEL_INLINE
#define LINTEL_INLINE [[gnu::always_inline]] static inline

// ---- Functions of one argument: f(x, parameter), and df(x, y, parameter) where y = f(x) ----

template <Unary Index>
struct UnaryRow {
  static constexpr Unary index = Index;
};

struct Neg : UnaryRow<Unary::neg> {
  static constexpr const char* name = "neg";
  LINTEL_INLINE auto f(auto x, auto) { return -x; }
  LINTEL_INLINE auto df(auto x, auto, auto) { return decltype(x)(-1); }
};

struct Abs : UnaryRow<Unary::abs> {
  static constexpr const char* name = "abs";
  LINTEL_INLINE auto f(auto x, auto) { return abs(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return select(x > 0, 1, select(x < 0, -1, 0)); }
};

struct Exp : UnaryRow<Unary::exp> {
  static constexpr const char* name = "exp";
  LINTEL_INLINE auto f(auto x, auto) { return exp(x); }
  LINTEL_INLINE auto df(auto, auto y, auto) { return y; }
};

struct Expm1 : UnaryRow<Unary::expm1> {
  static constexpr const char* name = "expm1";
  LINTEL_INLINE auto f(auto x, auto) { return expm1(x); }
  LINTEL_INLINE auto df(auto, auto y, auto) { return y + 1; }
};

struct Log : UnaryRow<Unary::log> {
  static constexpr const char* name = "log";
  LINTEL_INLINE auto f(auto x, auto) { return log(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return 1 / x; }
};

struct Log1p : UnaryRow<Unary::log1p> {
  static constexpr const char* name = "log1p";
  LINTEL_INLINE auto f(auto x, auto) { return log1p(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return 1 / (1 + x); }
};

struct Sqrt : UnaryRow<Unary::sqrt> {
  static constexpr const char* name = "sqrt";
  LINTEL_INLINE auto f(auto x, auto) { return sqrt(x); }
  LINTEL_INLINE auto df(auto, auto y, auto) { return 0.5 / y; }
};

struct Rsqrt : UnaryRow<Unary::rsqrt> {
  static constexpr const char* name = "rsqrt";
  LINTEL_INLINE auto f(auto x, auto) { return 1 / sqrt(x); }
  LINTEL_INLINE auto df(auto, auto y, auto) { return -0.5 * y * y * y; }
};

struct Square : UnaryRow<Unary::square> {
  static constexpr const char* name = "square";
  LINTEL_INLINE auto f(auto x, auto) { return x * x; }
  LINTEL_INLINE auto df(auto x, auto, auto) { return 2 * x; }
};

struct Pow : UnaryRow<Unary::pow> {
  static constexpr const char* name = "pow";
  LINTEL_INLINE auto f(auto x, auto exponent) { return pow(x, exponent); }
  LINTEL_INLINE auto df(auto x, auto, auto exponent) { return pow_derivative(x, exponent); }
};

struct Tanh : UnaryRow<Unary::tanh> {
  static constexpr const char* name = "tanh";
  LINTEL_INLINE auto f(auto x, auto) { return tanh(x); }
  LINTEL_INLINE auto df(auto, auto y, auto) { return fnma(y, y, 1); }
};

struct Erf : UnaryRow<Unary::erf> {
  static constexpr const char* name = "erf";
  LINTEL_INLINE auto f(auto x, auto) { return erf(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return erf_derivative(x); }
};

struct Sigmoid : UnaryRow<Unary::sigmoid> {
  static constexpr const char* name = "sigmoid";
  LINTEL_INLINE auto f(auto x, auto) { return sigmoid(x); }
  LINTEL_INLINE auto df(auto, auto y, auto) { return y * (1 - y); }
};

struct Softplus : UnaryRow<Unary::softplus> {
  static constexpr const char* name = "softplus";
  LINTEL_INLINE auto f(auto x, auto) { return softplus(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return sigmoid(x); }
};

struct Relu : UnaryRow<Unary::relu> {
  static constexpr const char* name = "relu";
  LINTEL_INLINE auto f(auto x, auto) { return select(x < 0, 0, x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return select(x <= 0, 0, 1); }
};

struct Gelu : UnaryRow<Unary::gelu> {
  static constexpr const char* name = "gelu";
  LINTEL_INLINE auto f(auto x, auto) { return gelu(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return gelu_derivative(x); }
};

struct GeluTanh : UnaryRow<Unary::gelu_tanh> {
  static constexpr const char* name = "gelu_tanh";
  LINTEL_INLINE auto f(auto x, auto) { return gelu_tanh(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return gelu_tanh_derivative(x); }
};

struct Silu : UnaryRow<Unary::silu> {
  static constexpr const char* name = "silu";
  LINTEL_INLINE auto f(auto x, auto) { return silu(x); }
  LINTEL_INLINE auto df(auto x, auto, auto) { return silu_derivative(x); }
};

struct Elu : UnaryRow<Unary::elu> {
  static constexpr const char* name = "elu";
  LINTEL_INLINE auto f(auto x, auto alpha) { return select(x > 0, x, alpha * expm1(x)); }
  LINTEL_INLINE auto df(auto x, auto, auto alpha) { return select(x > 0, 1, alpha * exp(x)); }
};

// ---- Functions of two arguments: f(a, b), and the derivatives da(a, b) and db(a, b) ----

template <Binary Index>
struct BinaryRow {
  static constexpr Binary index = Index;
};

struct Add : BinaryRow<Binary::add> {
  static constexpr const char* name = "add";
  LINTEL_INLINE auto f(auto a, auto b) { return a + b; }
  LINTEL_INLINE auto da(auto a, auto) { return decltype(a)(1); }
  LINTEL_INLINE auto db(auto a, auto) { return decltype(a)(1); }
};

struct Sub : BinaryRow<Binary::sub> {
  static constexpr const char* name = "sub";
  LINTEL_INLINE auto f(auto a, auto b) { return a - b; }
  LINTEL_INLINE auto da(auto a, auto) { return decltype(a)(1); }
  LINTEL_INLINE auto db(auto a, auto) { return decltype(a)(-1); }
};

struct Mul : BinaryRow<Binary::mul> {
  static constexpr const char* name = "mul";
  LINTEL_INLINE auto f(auto a, auto b) { return a * b; }
  LINTEL_INLINE auto da(auto, auto b) { return b; }
  LINTEL_INLINE auto db(auto a, auto) { return a; }
};

struct Div : BinaryRow<Binary::div> {
  static constexpr const char* name = "div";
  LINTEL_INLINE auto f(auto a, auto b) { return a / b; }
  LINTEL_INLINE auto da(auto, auto b) { return 1 / b; }
  LINTEL_INLINE auto db(auto a, auto b) { return -(a / b) / b; }
};

struct Maximum : BinaryRow<Binary::maximum> {
  static constexpr const char* name = "maximum";
  LINTEL_INLINE auto f(auto a, auto b) { return select((a > b) | isnan(a), a, b); }
  LINTEL_INLINE auto da(auto a, auto b) { return select(a == b, 0.5, select(a < b, 0, 1)); }
  LINTEL_INLINE auto db(auto a, auto b) { return da(b, a); }
};

struct Minimum : BinaryRow<Binary::minimum> {
  static constexpr const char* name = "minimum";
  LINTEL_INLINE auto f(auto a, auto b) { return select((a < b) | isnan(a), a, b); }
  LINTEL_INLINE auto da(auto a, auto b) { return select(a == b, 0.5, select(a > b, 0, 1)); }
  LINTEL_INLINE auto db(auto a, auto b) { return da(b, a); }
};

#undef LINTEL_INLINE

// ---- Every row ----

/// A list of types that a fold expression can run over.
template <class... Rows>
struct RowList {};

using UnaryRows = RowList<Neg, Abs, Exp, Expm1, Log, Log1p, Sqrt, Rsqrt, Square, Pow, Tanh, Erf, Sigmoid, Softplus,
                          Relu, Gelu, GeluTanh, Silu, Elu>;
using BinaryRows = RowList<Add, Sub, Mul, Div, Maximum, Minimum>;

// ---- Kernels; what they compute stands in kernel_table.hpp ----

template <class Row, class T>
void unary_forward(const T* x, T* y, std::int64_t count, T parameter) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes)
                 __attribute__((always_inline)) { lanes.store(y + i, Row::f(lanes.load(x + i), parameter)); });
}

template <class Row, class T>
void unary_vjp(const T* g, const T* x, const T* y, T* dx, std::int64_t count, T parameter) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        lanes.store(dx + i, lanes.load(g + i) * Row::df(lanes.load(x + i), lanes.load(y + i), parameter));
      });
}

/// The operand of a binary function at element i: the next few elements, or one in every lane.
template <class T, bool is_single>
[[gnu::always_inline]] inline vec<T> operand(const T* a, std::int64_t i, auto lanes) {
  if constexpr (is_single) {
    return vec<T>(*a);
  } else {
    return lanes.load(a + i);
  }
}

template <class Row, bool single_a, bool single_b, class T>
[[gnu::always_inline]] inline void binary_forward_loop(const T* a, const T* b, T* y, std::int64_t count) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        lanes.store(y + i, Row::f(operand<T, single_a>(a, i, lanes), operand<T, single_b>(b, i, lanes)));
      });
}

template <class Row, class T>
void binary_forward(const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, T* y, std::int64_t count) {
  if (a_step == 0) {
    binary_forward_loop<Row, true, false>(a, b, y, count);
  } else if (b_step == 0) {
    binary_forward_loop<Row, false, true>(a, b, y, count);
  } else {
    binary_forward_loop<Row, false, false>(a, b, y, count);
  }
}

/// target[i] += cotangent(i, lanes), or target[0] += the sum of it.
template <bool is_single, class T, class Cotangent>
[[gnu::always_inline]] inline void add_cotangent(T* target, std::int64_t count, Cotangent cotangent) {
  if constexpr (is_single) {
    *target += sum_over<T>(count, cotangent);
  } else {
    for_each_register<T>(
        count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(target + i, lanes.load(target + i) + cotangent(i, lanes));
        });
  }
}

template <class Row, bool single_a, bool single_b, class T>
[[gnu::always_inline]] inline void binary_vjp_loop(const T* g, const T* a, const T* b, T* da, T* db,
                                                   std::int64_t count) {
  if (da) {
    add_cotangent<single_a>(
        da, count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          return lanes.load(g + i) * Row::da(operand<T, single_a>(a, i, lanes), operand<T, single_b>(b, i, lanes));
        });
  }
  if (db) {
    add_cotangent<single_b>(
        db, count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          return lanes.load(g + i) * Row::db(operand<T, single_a>(a, i, lanes), operand<T, single_b>(b, i, lanes));
        });
  }
}

template <class Row, class T>
void binary_vjp(const T* g, const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, T* da, T* db,
                std::int64_t count) {
  if (a_step == 0) {
    binary_vjp_loop<Row, true, false>(g, a, b, da, db, count);
  } else if (b_step == 0) {
    binary_vjp_loop<Row, false, true>(g, a, b, da, db, count);
  } else {
    binary_vjp_loop<Row, false, false>(g, a, b, da, db, count);
  }
}

template <class T>
void where(const bool* condition, std::int64_t condition_step, const T* a, std::int64_t a_step, const T* b,
           std::int64_t b_step, T* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = condition[i * condition_step] ? a[i * a_step] : b[i * b_step];
  }
}

template <class T>
void add_into(const T* source, T* target, std::int64_t count) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        lanes.store(target + i, lanes.load(target + i) + lanes.load(source + i));
      });
}

template <class T>
void scale(T factor, const T* source, T* target, std::int64_t count) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes)
                 __attribute__((always_inline)) { lanes.store(target + i, factor * lanes.load(source + i)); });
}

template <class T>
void axpy(T factor, const T* source, T* target, std::int64_t count) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        lanes.store(target + i, fma(factor, lanes.load(source + i), lanes.load(target + i)));
      });
}

/// Four sums side by side, so that an addition need not wait for the one before.
template <class T>
[[gnu::always_inline]] inline T sum_of_block(const T* source, std::int64_t count) {
  constexpr std::int64_t width = vec<T>::width;
  vec<T> s0 = vec<T>::zero(), s1 = s0, s2 = s0, s3 = s0;
  std::int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width) {
    s0 += vec<T>::load(source + i);
    s1 += vec<T>::load(source + i + width);
    s2 += vec<T>::load(source + i + 2 * width);
    s3 += vec<T>::load(source + i + 3 * width);
  }
  for_each_register<T>(
      count - i, [&](std::int64_t j, auto lanes) __attribute__((always_inline)) { s0 += lanes.load(source + i + j); });
  return reduce_add((s0 + s1) + (s2 + s3));
}

/// Halves upon halves down to a block, so that the rounding error grows with log(count) beyond it.
template <class T>
T sum(const T* source, std::int64_t count) {
  constexpr std::int64_t block = 4096;
  if (count <= block) return sum_of_block(source, count);
  const std::int64_t first = (count / 2 + block - 1) / block * block;
  return sum(source, first) + sum(source + first, count - first);
}

/// Unlike `max_over`, lets a NaN win.
template <class T>
T largest(const T* source, std::int64_t count) {
  vec<T> result(-infinity<T>);
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> x = lanes.only(lanes.load(source + i), -infinity<T>);
        result = select((x > result) | isnan(x), x, result);
      });
  return any(isnan(result)) ? not_a_number<T> : reduce_max(result);
}

// ---- The table ----

template <class T, class... Rows>
void fill_unary(Kernels<T>& table, RowList<Rows...>) {
  static_assert(sizeof...(Rows) == unary_count);
  ((table.unary[static_cast<int>(Rows::index)] = {Rows::name, unary_forward<Rows, T>, unary_vjp<Rows, T>}), ...);
}

template <class T, class... Rows>
void fill_binary(Kernels<T>& table, RowList<Rows...>) {
  static_assert(sizeof...(Rows) == binary_count);
  ((table.binary[static_cast<int>(Rows::index)] = {Rows::name, binary_forward<Rows, T>, binary_vjp<Rows, T>}), ...);
}

template <class T>
void fill_elementwise(Kernels<T>& table) {
  fill_unary(table, UnaryRows{});
  fill_binary(table, BinaryRows{});
  table.where = where<T>;
  table.add_into = add_into<T>;
  table.scale = scale<T>;
  table.axpy = axpy<T>;
  table.sum = sum<T>;
  table.max = largest<T>;
}

}  // namespace lintel::kernels::LINTEL_ISA
