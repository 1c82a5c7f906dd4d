// Kernels of short_convolution, once per instruction set: no include guard, see kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// y = Σ_j weight_j ⊙ x_j for `taps` rows of x, `step` apart, and as many rows of weight; 0 without taps.
template <class T>
void weigh_rows(const T* x, std::int64_t step, const T* weight, T* y, std::int64_t taps, std::int64_t columns) {
  for_each_register<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        vec<T> sum = vec<T>::zero();
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          sum = fma(lanes.load(weight + tap * columns + i), lanes.load(x + tap * step + i), sum);
        }
        lanes.store(y + i, sum);
      });
}

/// y += a ⊙ b.
template <class T>
void add_products(const T* a, const T* b, T* y, std::int64_t count) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        lanes.store(y + i, fma(lanes.load(a + i), lanes.load(b + i), lanes.load(y + i)));
      });
}

}  // namespace lintel::kernels::LINTEL_ISA
