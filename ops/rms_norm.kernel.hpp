// Kernels of rms_norm, once per instruction set: no include guard, see kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// y = x·inverse·weight for each row, inverse = 1/√(mean(x²) + epsilon); keeps inverse.
template <class T>
void rms_norm_forward(const T* x, const T* weight, T* y, T* inverse, std::int64_t rows, std::int64_t columns,
                      T epsilon) {
  const T count = static_cast<T>(columns);
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const T square = sum_over<T>(
                         columns,
                         [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
                           const vec<T> element = lanes.load(x + i);
                           return element * element;
                         }) /
                     count;
    const T scale = T(1) / on_scalar(
                               square + epsilon, [](vec<T> a) __attribute__((always_inline)) { return sqrt(a); });
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          fetch(x + i + ahead);
          lanes.store(y + i, lanes.load(x + i) * vec<T>(scale) * lanes.load(weight + i));
        });
    inverse[row] = scale;
  }
}

/// One row of the backward pass, see `rms_norm_backward`; the next row lies `ahead` and is fetched.
template <class T, bool wants_dx, bool wants_weight>
[[gnu::always_inline]] inline void rms_norm_row_backward(const T* g, const T* x, const T* weight, T inverse, T* dx,
                                                         T* dweight, std::int64_t columns, std::int64_t ahead) {
  const vec<T> scale(inverse);
  vec<T> mean = vec<T>::zero();
  if constexpr (wants_dx) {
    const T product = sum_over<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          return lanes.load(g + i) * lanes.load(weight + i) * (lanes.load(x + i) * scale);
        });
    mean = vec<T>(product / static_cast<T>(columns));
  }
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        fetch(g + i + ahead);
        fetch(x + i + ahead);
        const vec<T> upstream = lanes.load(g + i), normal = lanes.load(x + i) * scale;
        if constexpr (wants_weight) lanes.store(dweight + i, fma(upstream, normal, lanes.load(dweight + i)));
        if constexpr (wants_dx) lanes.store(dx + i, scale * fnma(normal, mean, upstream * lanes.load(weight + i)));
      });
}

/// With n = x·inverse and h = g·weight, for each row: dx = inverse·(h − n·mean(h·n)), unless dx is null; and
/// dweight += g·n, unless that is null.
template <class T>
void rms_norm_backward(const T* g, const T* x, const T* weight, const T* inverse, T* dx, T* dweight, std::int64_t rows,
                       std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, g += columns, x += columns) {
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    if (dx && dweight) {
      rms_norm_row_backward<T, true, true>(g, x, weight, inverse[row], dx, dweight, columns, ahead);
    } else if (dx) {
      rms_norm_row_backward<T, true, false>(g, x, weight, inverse[row], dx, dweight, columns, ahead);
    } else {
      rms_norm_row_backward<T, false, true>(g, x, weight, inverse[row], dx, dweight, columns, ahead);
    }
    if (dx) dx += columns;
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
