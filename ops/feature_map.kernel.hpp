// Kernels of the feature map layers beside their matrix products, once per instruction set: no include guard, see
// kernels.isa.hpp. `u` is the pre-activation, `t` the gate's (null where there is no gate), y the features. Needs
// activation.kernel.hpp and softmax.kernel.hpp.

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::kernels::LINTEL_ISA {

/// f(u) of the activations that go number by number. Value and slope share what is common to them.
template <FeatureActivation F, class T>
LINTEL_INLINE vec<T> feature_value(vec<T> u) {
  using enum FeatureActivation;
  constexpr T beta = static_cast<T>(sharp_softplus_beta);
  if constexpr (F == softplus) return lintel::kernels::LINTEL_ISA::softplus(u);
  if constexpr (F == sharp_softplus) return lintel::kernels::LINTEL_ISA::softplus(u * beta) * (1 / beta);
  if constexpr (F == gelu) return lintel::kernels::LINTEL_ISA::gelu(u);
  if constexpr (F == elu_plus_one) return select(u > 0, u + 1, exp(u));
  if constexpr (F == relu) return select(u < 0, 0, u);
  return u;
}

template <FeatureActivation F, class T>
LINTEL_INLINE ValueAndSlope<T> feature_value_and_slope(vec<T> u) {
  using enum FeatureActivation;
  constexpr T beta = static_cast<T>(sharp_softplus_beta);
  if constexpr (F == gelu) return GeluAndSlope::of(u);
  const vec<T> value = feature_value<F>(u);
  if constexpr (F == softplus) return {value, sigmoid(u)};
  if constexpr (F == sharp_softplus) return {value, sigmoid(u * beta)};
  if constexpr (F == elu_plus_one) return {value, select(u > 0, 1, value)};
  if constexpr (F == relu) return {value, select(u <= 0, 0, vec<T>(T(1)))};
  return {value, vec<T>(T(1))};
}

/// Calls `body(std::integral_constant<FeatureActivation, f>)` for an f that goes number by number.
template <class Body>
LINTEL_INLINE void with_feature_activation(FeatureActivation f, Body&& body) {
  using enum FeatureActivation;
  // clang-format off
  switch (f) {
    case softplus: return body(std::integral_constant<FeatureActivation, softplus>{});
    case sharp_softplus: return body(std::integral_constant<FeatureActivation, sharp_softplus>{});
    case gelu: return body(std::integral_constant<FeatureActivation, gelu>{});
    case elu_plus_one: return body(std::integral_constant<FeatureActivation, elu_plus_one>{});
    case relu: return body(std::integral_constant<FeatureActivation, relu>{});
    default: return body(std::integral_constant<FeatureActivation, none>{});
  }
  // clang-format on
}

// ---- Activations that make pairs, a row at a time ----

template <class T>
LINTEL_INLINE T dot(const T* a, const T* b, std::int64_t count) {
  return sum_over<T>(
      count, [&](std::int64_t i, auto lanes)
                 __attribute__((always_inline)) { return lanes.load(a + i) * lanes.load(b + i); });
}

/// y = [softmax(u), softmax(−u)].
template <class T>
void softmax_pair_row(const T* u, T* y, std::int64_t columns) {
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> x = lanes.load(u + i);
        lanes.store(y + i, x);
        lanes.store(y + columns + i, -x);
      });
  softmax_forward<T>(y, y, 2, columns);
}

/// The result is du, in the place of u.
template <class T>
void softmax_pair_backward_row(const T* g, const T* y, T* du, std::int64_t columns) {
  const T *g2 = g + columns, *y2 = y + columns;
  const vec<T> mean(dot(g, y, columns)), mean2(dot(g2, y2, columns));
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> first = lanes.load(y + i) * (lanes.load(g + i) - mean);
        lanes.store(du + i, first - lanes.load(y2 + i) * (lanes.load(g2 + i) - mean2));
      });
}

/// w = u·favor_scale(d).
template <class T>
LINTEL_INLINE T favor_scale(std::int64_t columns) {
  return T(1) / static_cast<T>(__builtin_sqrt(__builtin_sqrt(static_cast<double>(columns))));
}

/// What is subtracted from the exponents ±w of a row: |w|²/(2d), or for a query their maximum.
template <class T>
LINTEL_INLINE T favor_shift(bool is_query, const T* u, std::int64_t columns, T scale) {
  if (!is_query) return scale * scale * dot(u, u, columns) / static_cast<T>(2 * columns);
  vec<T> largest = vec<T>::zero();
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        largest = max(largest, lanes.only(abs(lanes.load(u + i)), T(0)));
      });
  return scale * reduce_max(largest);
}

template <class T>
void favor_row(bool is_query, const T* u, T* y, std::int64_t columns) {
  const T scale = favor_scale<T>(columns);
  const vec<T> shift(favor_shift(is_query, u, columns, scale));
  const vec<T> factor(T(1) / static_cast<T>(__builtin_sqrt(static_cast<double>(2 * columns))));
  constexpr T largest = static_cast<T>(largest_favor_exponent);
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> w = lanes.load(u + i) * scale;
        lanes.store(y + i, exp(at_most(w - shift, largest)) * factor);
        lanes.store(y + columns + i, exp(at_most(-w - shift, largest)) * factor);
      });
}

/// Passes on what reaches the exponents ±w − shift: to the number of largest magnitude, where the shift is that, or to
/// all of them by |w|²/(2d). An exponent that was bounded passes nothing on.
template <class T>
void favor_backward_row(bool is_query, const T* g, const T* y, T* u, std::int64_t columns) {
  const T scale = favor_scale<T>(columns);
  const T shift = favor_shift(is_query, u, columns, scale);
  constexpr T largest = static_cast<T>(largest_favor_exponent);
  std::int64_t farthest = 0;
  for (std::int64_t i = 1; i < columns; ++i) {
    if (__builtin_fabs(u[i]) > __builtin_fabs(u[farthest])) farthest = i;
  }
  const bool positive = u[farthest] > 0;
  const vec<T> share(is_query ? T(0) : scale * scale / static_cast<T>(columns));
  T sum = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    const T w = u[i] * scale;
    sum += (w - shift < largest ? g[i] * y[i] : T(0)) + (-w - shift < largest ? g[columns + i] * y[columns + i] : T(0));
  }
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> x = lanes.load(u + i), w = x * scale;
        const vec<T> plus = select(w - shift < largest, lanes.load(g + i) * lanes.load(y + i), 0);
        const vec<T> minus = select(-w - shift < largest, lanes.load(g + columns + i) * lanes.load(y + columns + i), 0);
        lanes.store(u + i, fnma(share * x, vec<T>(sum), (plus - minus) * scale));
      });
  if (is_query && columns > 0) u[farthest] -= (positive ? sum : -sum) * scale;
}

template <class T>
void feature_pair_rows(FeatureActivation f, const T* u, std::int64_t u_stride, T* y, std::int64_t y_stride,
                       std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, u += u_stride, y += y_stride) {
    if (f == FeatureActivation::softmax_pair) {
      softmax_pair_row(u, y, columns);
    } else {
      favor_row(f == FeatureActivation::favor_query, u, y, columns);
    }
  }
}

template <class T>
void feature_pair_backward_rows(FeatureActivation f, const T* g, std::int64_t g_stride, const T* y,
                                std::int64_t y_stride, T* u, std::int64_t u_stride, std::int64_t rows,
                                std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, g += g_stride, y += y_stride, u += u_stride) {
    if (f == FeatureActivation::softmax_pair) {
      softmax_pair_backward_row(g, y, u, columns);
    } else {
      favor_backward_row(f == FeatureActivation::favor_query, g, y, u, columns);
    }
  }
}

// ---- All activations ----

/// y = f(u)·σ(t), or f(u) without a gate, of `columns` numbers a row. `y` may be u unless f makes pairs, which have no
/// gate.
template <class T>
void feature_map_forward(FeatureActivation f, const T* u, std::int64_t u_stride, const T* t, std::int64_t t_stride,
                         T* y, std::int64_t y_stride, std::int64_t rows, std::int64_t columns) {
  if (makes_pairs(f)) return feature_pair_rows(f, u, u_stride, y, y_stride, rows, columns);
  with_feature_activation(f, [&](auto constant) {
    constexpr FeatureActivation F = decltype(constant)::value;
    for (std::int64_t r = 0; r < rows; ++r, u += u_stride, y += y_stride) {
      for_each_register<T>(
          columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
            const vec<T> value = feature_value<F>(lanes.load(u + i));
            lanes.store(y + i, t ? value * sigmoid(lanes.load(t + i)) : value);
          });
      if (t) t += t_stride;
    }
  });
}

/// The same, with what `feature_map_backward` needs left in the place of u and t: the derivatives of y to u and to t;
/// u itself where f makes pairs.
template <class T>
void feature_map_trace(FeatureActivation f, T* u, std::int64_t u_stride, T* t, std::int64_t t_stride, T* y,
                       std::int64_t y_stride, std::int64_t rows, std::int64_t columns) {
  if (makes_pairs(f)) return feature_pair_rows<T>(f, u, u_stride, y, y_stride, rows, columns);
  with_feature_activation(f, [&](auto constant) {
    constexpr FeatureActivation F = decltype(constant)::value;
    for (std::int64_t r = 0; r < rows; ++r, u += u_stride, y += y_stride) {
      for_each_register<T>(
          columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
            auto [value, slope] = feature_value_and_slope<F>(lanes.load(u + i));
            if (t) {
              const vec<T> gate = sigmoid(lanes.load(t + i));
              lanes.store(t + i, value * (gate * (vec<T>(T(1)) - gate)));
              value *= gate;
              slope *= gate;
            }
            lanes.store(u + i, slope);
            lanes.store(y + i, value);
          });
      if (t) t += t_stride;
    }
  });
}

/// From what `feature_map_trace` left and g = dy: u becomes du and t becomes dt.
template <class T>
void feature_map_backward(FeatureActivation f, const T* g, std::int64_t g_stride, const T* y, std::int64_t y_stride,
                          T* u, std::int64_t u_stride, T* t, std::int64_t t_stride, std::int64_t rows,
                          std::int64_t columns) {
  if (makes_pairs(f)) return feature_pair_backward_rows(f, g, g_stride, y, y_stride, u, u_stride, rows, columns);
  for (std::int64_t r = 0; r < rows; ++r, g += g_stride, u += u_stride) {
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> upstream = lanes.load(g + i);
          lanes.store(u + i, upstream * lanes.load(u + i));
          if (t) lanes.store(t + i, upstream * lanes.load(t + i));
        });
    if (t) t += t_stride;
  }
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
