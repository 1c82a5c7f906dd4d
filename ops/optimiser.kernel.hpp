// Kernels of the optimisers, once per instruction set: no include guard, see kernels.isa.hpp. Formulas:
// nn/optimiser.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// `b` is null without momentum.
template <class T>
void sgd_update(const T* g, T* w, T* b, std::int64_t count, const SgdFactors<T>& by) {
  const vec<T> scale(by.scale), decay(by.decay), keep(by.keep), rate(by.rate);
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> weight = lanes.load(w + i);
        vec<T> direction = fma(decay, weight, scale * lanes.load(g + i));
        if (b != nullptr) {
          direction = fma(keep, lanes.load(b + i), direction);
          lanes.store(b + i, direction);
        }
        lanes.store(w + i, fnma(rate, direction, weight));
      });
}

template <class T>
void adamw_update(const T* g, T* w, T* m, T* v, std::int64_t count, const AdamWFactors<T>& by) {
  const vec<T> scale(by.scale), new1(by.new1), keep2(by.keep2), new2(by.new2), shrink(by.shrink), rate(by.rate);
  const vec<T> inverse_correction(by.inverse_correction), epsilon(by.epsilon);
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        const vec<T> gradient = scale * lanes.load(g + i), before = lanes.load(m + i);
        const vec<T> first = fma(new1, gradient - before, before);
        const vec<T> second = fma(new2 * gradient, gradient, keep2 * lanes.load(v + i));
        lanes.store(m + i, first);
        lanes.store(v + i, second);
        const vec<T> step = first / fma(sqrt(second), inverse_correction, epsilon);
        lanes.store(w + i, fnma(rate, step, shrink * lanes.load(w + i)));
      });
}

/// Σ x², in double.
template <class T>
double sum_of_squares(const T* x, std::int64_t count) {
  constexpr int width = 16;  // sums side by side, which the compiler keeps in registers
  double sums[width] = {};
  std::int64_t i = 0;
  for (; i + width <= count; i += width) {
    for (int lane = 0; lane < width; ++lane)
      sums[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(x[i + lane]);
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace lintel::kernels::LINTEL_ISA
