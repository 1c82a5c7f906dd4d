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
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(y + i, lanes.load(x + i) * vec<T>(scale) * lanes.load(weight + i));
        });
    inverse[row] = scale;
  }
}

/// dx for each row, with n = x·inverse and h = g·weight: inverse·(h − n·mean(h·n)).
template <class T>
void rms_norm_backward(const T* g, const T* x, const T* weight, const T* inverse, T* dx, std::int64_t rows,
                       std::int64_t columns) {
  const T count = static_cast<T>(columns);
  for (std::int64_t row = 0; row < rows; ++row, g += columns, x += columns, dx += columns) {
    const vec<T> scale(inverse[row]);
    const T product = sum_over<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          return lanes.load(g + i) * lanes.load(weight + i) * (lanes.load(x + i) * scale);
        });
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> h = lanes.load(g + i) * lanes.load(weight + i);
          lanes.store(dx + i, scale * fnma(lanes.load(x + i) * scale, vec<T>(product / count), h));
        });
  }
}

/// Adds Σ g·x·inverse over the rows to `dweight`.
template <class T>
void rms_norm_backward_weight(const T* g, const T* x, const T* inverse, T* dweight, std::int64_t rows,
                              std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, g += columns, x += columns) {
    const vec<T> scale(inverse[row]);
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(dweight + i, fma(lanes.load(g + i), lanes.load(x + i) * scale, lanes.load(dweight + i)));
        });
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
