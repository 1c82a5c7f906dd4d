// Kernels of mse, once per instruction set: no include guard, see kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// Σ (a − b)².
template <class T>
T squared_distance(const T* a, const T* b, std::int64_t count) {
  return sum_over<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> difference = lanes.load(a + i) - lanes.load(b + i);
        return difference * difference;
      });
}

/// target = factor·(a − b).
template <class T>
void scaled_difference(const T* a, const T* b, T factor, T* target, std::int64_t count) {
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        lanes.store(target + i, vec<T>(factor) * (lanes.load(a + i) - lanes.load(b + i)));
      });
}

}  // namespace lintel::kernels::LINTEL_ISA
