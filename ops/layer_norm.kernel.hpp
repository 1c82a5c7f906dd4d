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
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          fetch(x + i + ahead);
          const vec<T> normal = (lanes.load(x + i) - vec<T>(center)) * vec<T>(scale);
          lanes.store(y + i, fma(normal, lanes.load(weight + i), lanes.load(bias + i)));
        });
    mean[row] = center;
    inverse[row] = scale;
  }
}

/// One row of the backward pass, see `layer_norm_backward`; the next row lies `ahead` and is fetched.
template <class T, bool wants_dx, bool wants_parameters>
[[gnu::always_inline]] inline void layer_norm_row_backward(const T* g, const T* x, const T* weight, T mean, T inverse,
                                                           T* dx, T* dweight, T* dbias, std::int64_t columns,
                                                           std::int64_t ahead) {
  const vec<T> center(mean), scale(inverse);
  vec<T> mean_h = vec<T>::zero(), mean_h_normal = vec<T>::zero();
  if constexpr (wants_dx) {
    vec<T> sum = vec<T>::zero(), sum_with_normal = vec<T>::zero();
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          // Lanes behind the row's end hold g = 0, and so add nothing.
          const vec<T> h = lanes.load(g + i) * lanes.load(weight + i);
          sum += h;
          sum_with_normal = fma(h, (lanes.load(x + i) - center) * scale, sum_with_normal);
        });
    const T count = static_cast<T>(columns);
    mean_h = vec<T>(reduce_add(sum) / count);
    mean_h_normal = vec<T>(reduce_add(sum_with_normal) / count);
  }
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        fetch(g + i + ahead);
        fetch(x + i + ahead);
        const vec<T> upstream = lanes.load(g + i), normal = (lanes.load(x + i) - center) * scale;
        if constexpr (wants_parameters) {
          lanes.store(dweight + i, fma(upstream, normal, lanes.load(dweight + i)));
          lanes.store(dbias + i, lanes.load(dbias + i) + upstream);
        }
        if constexpr (wants_dx) {
          const vec<T> h = upstream * lanes.load(weight + i);
          lanes.store(dx + i, scale * (h - fma(normal, mean_h_normal, mean_h)));
        }
      });
}

/// With n = (x − mean)·inverse and h = g·weight, for each row: dx = inverse·(h − mean(h) − n·mean(h·n)), unless dx is
/// null; and dweight += g·n, dbias += g, unless these two are null.
template <class T>
void layer_norm_backward(const T* g, const T* x, const T* weight, const T* mean, const T* inverse, T* dx, T* dweight,
                         T* dbias, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, g += columns, x += columns) {
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    if (dx && dweight) {
      layer_norm_row_backward<T, true, true>(g, x, weight, mean[row], inverse[row], dx, dweight, dbias, columns, ahead);
    } else if (dx) {
      layer_norm_row_backward<T, true, false>(g, x, weight, mean[row], inverse[row], dx, dweight, dbias, columns,
                                              ahead);
    } else {
      layer_norm_row_backward<T, false, true>(g, x, weight, mean[row], inverse[row], dx, dweight, dbias, columns,
                                              ahead);
    }
    if (dx) dx += columns;
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
