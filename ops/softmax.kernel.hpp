// Kernels of softmax and log_softmax, once per instruction set: no include guard, see kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// target = e^(x − shift) for one row, and returns its sum; the next row lies `ahead` and is fetched. `target`
/// may be x.
template <class T>
[[gnu::always_inline]] inline T exp_row(const T* x, T shift, T* target, std::int64_t columns, std::int64_t ahead = 0) {
  return sum_over<T>(
      columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
        fetch(x + i + ahead);
        const vec<T> power = exp(lanes.load(x + i) - vec<T>(shift));
        lanes.store(target + i, power);
        return power;
      });
}

/// y = e^(x − max) / Σ e^(x − max) for each row.
template <class T>
void softmax_forward(const T* x, T* y, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    const vec<T> scale(T(1) / exp_row(x, max_over(x, columns), y, columns, ahead));
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes)
                     __attribute__((always_inline)) { lanes.store(y + i, lanes.load(y + i) * scale); });
  }
}

/// dx = y·(g − Σ g·y) for each row.
template <class T>
void softmax_backward(const T* g, const T* y, T* dx, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, g += columns, y += columns, dx += columns) {
    const vec<T> product(sum_over<T>(
        columns, [&](std::int64_t i, auto lanes)
                     __attribute__((always_inline)) { return lanes.load(g + i) * lanes.load(y + i); }));
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          fetch(g + i + ahead);
          fetch(y + i + ahead);
          lanes.store(dx + i, lanes.load(y + i) * (lanes.load(g + i) - product));
        });
  }
}

/// y = (x − max) − log Σ e^(x − max) for each row.
template <class T>
void log_softmax_forward(const T* x, T* y, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const T largest = max_over(x, columns);
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    const T sum = sum_over<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          fetch(x + i + ahead);
          return exp(lanes.load(x + i) - vec<T>(largest));
        });
    const vec<T> log_sum = log(vec<T>(sum));
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(y + i, (lanes.load(x + i) - vec<T>(largest)) - log_sum);
        });
  }
}

/// dx = g − e^y·Σ g for each row.
template <class T>
void log_softmax_backward(const T* g, const T* y, T* dx, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, g += columns, y += columns, dx += columns) {
    const vec<T> sum(sum_over<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) { return lanes.load(g + i); }));
    const std::int64_t ahead = row + 1 < rows ? columns : 0;
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          fetch(g + i + ahead);
          fetch(y + i + ahead);
          lanes.store(dx + i, fnma(exp(lanes.load(y + i)), sum, lanes.load(g + i)));
        });
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
