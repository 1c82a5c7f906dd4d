// Kernels of the feature map layers beside their matrix products, once per instruction set: no include guard, see
// kernels.isa.hpp. `u` is the pre-activation, `t` the gate's (null where there is no gate).

namespace lintel::kernels::LINTEL_ISA {

template <class T>
[[gnu::always_inline]] inline vec<T> feature_value(FeatureActivation activation, vec<T> u) {
  return activation == FeatureActivation::softplus ? softplus(u) : u;
}

template <class T>
[[gnu::always_inline]] inline vec<T> feature_slope(FeatureActivation activation, vec<T> u) {
  return activation == FeatureActivation::softplus ? sigmoid(u) : vec<T>(T(1));
}

/// y = f(u)·σ(t), or f(u) without a gate. `y` may be u.
template <class T>
void feature_map_forward(FeatureActivation f, const T* u, std::int64_t u_stride, const T* t, std::int64_t t_stride,
                         T* y, std::int64_t y_stride, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, u += u_stride, y += y_stride) {
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> value = feature_value(f, lanes.load(u + i));
          lanes.store(y + i, t ? value * sigmoid(lanes.load(t + i)) : value);
        });
    if (t) t += t_stride;
  }
}

/// In place: u becomes du = g·f'(u)·σ(t), t becomes dt = g·f(u)·σ(t)·(1 − σ(t)).
template <class T>
void feature_map_backward(FeatureActivation f, const T* g, std::int64_t g_stride, T* u, std::int64_t u_stride, T* t,
                          std::int64_t t_stride, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, g += g_stride, u += u_stride) {
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> upstream = lanes.load(g + i), pre = lanes.load(u + i);
          if (t) {
            const vec<T> gate = sigmoid(lanes.load(t + i));
            lanes.store(t + i, upstream * feature_value(f, pre) * (gate * (vec<T>(T(1)) - gate)));
            lanes.store(u + i, upstream * feature_slope(f, pre) * gate);
          } else {
            lanes.store(u + i, upstream * feature_slope(f, pre));
          }
        });
    if (t) t += t_stride;
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
