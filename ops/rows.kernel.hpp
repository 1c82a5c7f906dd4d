// Kernels over the rows of a matrix that several fused ops share, once per instruction set: no include guard, see
// kernels.isa.hpp. A stride is the distance of two rows in elements: a head of (N, H, d) has stride H·d.

namespace lintel::kernels::LINTEL_ISA {

/// sums[c] += Σ over rows of x[r, c].
template <class T>
void add_column_sums(const T* x, std::int64_t stride, T* sums, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, x += stride) {
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(sums + i, lanes.load(sums + i) + lanes.load(x + i));
        });
  }
}

/// sums[c] += Σ over rows of weights[r]·x[r, c].
template <class T>
void add_weighted_column_sums(const T* x, std::int64_t stride, const T* weights, T* sums, std::int64_t rows,
                              std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, x += stride) {
    const vec<T> weight(weights[r]);
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(sums + i, fma(weight, lanes.load(x + i), lanes.load(sums + i)));
        });
  }
}

/// dots[r] = start + Σ over columns of x[r, c]·y[r, c]; a `y_stride` of 0 takes the same row of y for all.
template <class T>
void row_dots(const T* x, std::int64_t x_stride, const T* y, std::int64_t y_stride, T start, T* dots, std::int64_t rows,
              std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    vec<T> sum = vec<T>::zero();
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes)
                     __attribute__((always_inline)) { sum = fma(lanes.load(x + i), lanes.load(y + i), sum); });
    dots[r] = start + reduce_add(sum);
  }
}

/// y[r, c] = x[r, c] / divisors[r]. `y` may be x.
template <class T>
void divide_rows(const T* x, std::int64_t x_stride, const T* divisors, T* y, std::int64_t y_stride, std::int64_t rows,
                 std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    const vec<T> inverse(T(1) / divisors[r]);
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes)
                     __attribute__((always_inline)) { lanes.store(y + i, lanes.load(x + i) * inverse); });
  }
}

/// x[r, c] += a[r]·b[c]; a null `a` stands for ones.
template <class T>
void add_outer(const T* a, const T* b, T* x, std::int64_t stride, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r, x += stride) {
    const vec<T> factor(a ? a[r] : T(1));
    for_each_register<T>(
        columns, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(x + i, fma(factor, lanes.load(b + i), lanes.load(x + i)));
        });
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
