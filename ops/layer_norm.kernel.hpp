// Kernels of layer_norm, once per instruction set: no include guard, see kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// y = (x − mean)·inverse·weight + bias for each row, inverse = 1/√(variance + epsilon); keeps mean and inverse.
template <class T>
void layer_norm_forward(const T* x, const T* weight, const T* bias, T* y, T* mean, T* inverse, std::int64_t rows,
                        std::int64_t columns, T epsilon) {
  const T count = static_cast<T>(columns);
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const T center =
        sum_over<T>(
            columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) { return lanes.load(x + i); }) /
        count;
    // A second pass over a row in cache, since E[x²] − E[x]² cancels where the mean is large.
    const T variance = sum_over<T>(
                           columns,
                           [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
                             const vec<T> distance = lanes.load(x + i) - vec<T>(center);
                             return distance * distance;
                           }) /
                       count;
    const T scale = T(1) / on_scalar(
                               variance + epsilon, [](vec<T> a) __attribute__((always_inline)) { return sqrt(a); });
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> normal = (lanes.load(x + i) - vec<T>(center)) * vec<T>(scale);
          lanes.store(y + i, fma(normal, lanes.load(weight + i), lanes.load(bias + i)));
        });
    mean[row] = center;
    inverse[row] = scale;
  }
}

/// dx for each row, with n = (x − mean)·inverse and h = g·weight: inverse·(h − mean(h) − n·mean(h·n)).
template <class T>
void layer_norm_backward(const T* g, const T* x, const T* weight, const T* mean, const T* inverse, T* dx,
                         std::int64_t rows, std::int64_t columns) {
  const T count = static_cast<T>(columns);
  for (std::int64_t row = 0; row < rows; ++row, g += columns, x += columns, dx += columns) {
    const vec<T> center(mean[row]), scale(inverse[row]);
    vec<T> sum = vec<T>::zero(), sum_with_normal = vec<T>::zero();
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          // Lanes behind the row's end hold g = 0, and so add nothing.
          const vec<T> h = lanes.load(g + i) * lanes.load(weight + i);
          sum += h;
          sum_with_normal = fma(h, (lanes.load(x + i) - center) * scale, sum_with_normal);
        });
    const vec<T> mean_h(reduce_add(sum) / count), mean_h_normal(reduce_add(sum_with_normal) / count);
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> h = lanes.load(g + i) * lanes.load(weight + i);
          const vec<T> normal = (lanes.load(x + i) - center) * scale;
          lanes.store(dx + i, scale * (h - fma(normal, mean_h_normal, mean_h)));
        });
  }
}

/// Adds Σ g·(x − mean)·inverse over the rows to `dweight`, and Σ g to `dbias`.
template <class T>
void layer_norm_backward_parameters(const T* g, const T* x, const T* mean, const T* inverse, T* dweight, T* dbias,
                                    std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, g += columns, x += columns) {
    const vec<T> center(mean[row]), scale(inverse[row]);
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> upstream = lanes.load(g + i);
          const vec<T> normal = (lanes.load(x + i) - center) * scale;
          lanes.store(dweight + i, fma(upstream, normal, lanes.load(dweight + i)));
          lanes.store(dbias + i, lanes.load(dbias + i) + upstream);
        });
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
