// An activation and its derivative in one sweep, once per instruction set: no include guard, see kernels.isa.hpp.

#define LINTEL_INLINE [[gnu::always_inline]] static inline

namespace lintel::kernels::LINTEL_ISA {

template <class T>
struct ValueAndSlope {
  vec<T> value, slope;
};

/// What `gelu` and `gelu_derivative` compute, from one exponential: with b = |x|, P(X > b) for the value,
/// P(X > b) − b·φ(b) for the slope.
struct GeluAndSlope {
  template <class T>
  LINTEL_INLINE ValueAndSlope<T> of(vec<T> x) {
    const vec<T> b = tail_argument(x);
    const vec<T> tail = scaled_tail(b);
    const vec<T> value = select(x < 0, 0, x) - times_gaussian(b * tail, b, T(0.5));
    const vec<T> at_minus_b = times_gaussian(fnma(b, T(0.39894228040143267794), tail), b, T(0.5));
    return {value, select(x < 0, at_minus_b, 1 - at_minus_b)};
  }
};

/// A row of the elementwise functions whose slope takes x.
template <class Row>
struct RowAndSlope {
  template <class T>
  LINTEL_INLINE ValueAndSlope<T> of(vec<T> x) {
    return {Row::f(x, T(0)), Row::df(x, x, T(0))};
  }
};

template <class Function, class T>
void activation_and_slope_loop(const T* g, const T* u, T* du, T* y, std::int64_t count) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const ValueAndSlope<T> both = Function::of(lanes.load(u + i));
        lanes.store(du + i, lanes.load(g + i) * both.slope);
        lanes.store(y + i, both.value);
      });
}

/// du[i] = g[i]·f'(u[i]) and y[i] = f(u[i]) for gelu, gelu_tanh and silu. du may be g, and y may be u.
template <class T>
void activation_and_slope(Activation f, const T* g, const T* u, T* du, T* y, std::int64_t count) {
  if (f == Activation::gelu) {
    activation_and_slope_loop<GeluAndSlope>(g, u, du, y, count);
  } else if (f == Activation::gelu_tanh) {
    activation_and_slope_loop<RowAndSlope<GeluTanh>>(g, u, du, y, count);
  } else {
    activation_and_slope_loop<RowAndSlope<Silu>>(g, u, du, y, count);
  }
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
