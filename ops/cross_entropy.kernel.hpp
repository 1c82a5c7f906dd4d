// Kernels of cross_entropy, once per instruction set: no include guard, see kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// What one pass over a row of logits x finds: its maximum, Σ e^(x − maximum) and Σ x.
template <class T>
struct LogitRow {
  T maximum = -infinity<T>;
  T exponential_sum = 0;
  T sum = 0;
};

/// Reads the row once, in chunks that stay in the first cache: a chunk with a larger maximum rescales what was summed.
template <class T>
[[gnu::always_inline]] inline LogitRow<T> read_logits(const T* x, std::int64_t columns) {
  constexpr std::int64_t chunk = 1024;
  LogitRow<T> row;
  for (std::int64_t begin = 0; begin < columns; begin += chunk) {
    const T* part = x + begin;
    const std::int64_t count = columns - begin < chunk ? columns - begin : chunk;
    const T largest = max_over(part, count);
    if (largest > row.maximum) {
      row.exponential_sum *= on_scalar(
          row.maximum - largest, [](vec<T> a) __attribute__((always_inline)) { return exp(a); });
      row.maximum = largest;
    }
    // A chunk of −∞ alone adds nothing; −∞ − (−∞) would make it NaN.
    const vec<T> shift(row.maximum > -infinity<T> ? row.maximum : T(0));
    row.exponential_sum += sum_over<T>(
        count, [&](std::int64_t i, auto lanes)
                   __attribute__((always_inline)) { return exp(lanes.load(part + i) - shift); });
    row.sum += sum_over<T>(
        count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) { return lanes.load(part + i); });
  }
  return row;
}

/// Returns Σ over rows of (1 − smoothing)·loss(label) + smoothing·mean over classes of loss(class), where
/// loss(class) = log Σ e^x − x[class]. Keeps each row's maximum and 1/Σ e^(x − maximum); ignored rows are skipped.
template <class T>
double cross_entropy_forward(const T* logits, const std::int64_t* labels, T* maximum, T* inverse_sum, std::int64_t rows,
                             std::int64_t classes, std::int64_t ignore_index, T smoothing) {
  double total = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    maximum[r] = inverse_sum[r] = 0;
    if (labels[r] == ignore_index) continue;
    const T* x = logits + r * classes;
    const LogitRow<T> row = read_logits(x, classes);
    const T log_sum = on_scalar(
        row.exponential_sum, [](vec<T> a) __attribute__((always_inline)) { return log(a); });
    T loss = (row.maximum - x[labels[r]]) + log_sum;
    // Only when asked for: 0 · ∞ would make the loss of a row with an excluded class (−∞) NaN.
    if (smoothing > 0) {
      const T of_all_classes = (row.maximum - row.sum / static_cast<T>(classes)) + log_sum;
      loss = (T(1) - smoothing) * loss + smoothing * of_all_classes;
    }
    total += static_cast<double>(loss);
    maximum[r] = row.maximum;
    inverse_sum[r] = T(1) / row.exponential_sum;
  }
  return total;
}

/// dlogits = factor·(softmax(x) − (1 − smoothing)·onehot(label) − smoothing/classes), 0 in ignored rows.
template <class T>
void cross_entropy_backward(const T* logits, const std::int64_t* labels, const T* maximum, const T* inverse_sum,
                            T factor, T* dlogits, std::int64_t rows, std::int64_t classes, std::int64_t ignore_index,
                            T smoothing) {
  const vec<T> uniform(factor * smoothing / static_cast<T>(classes));
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* x = logits + r * classes;
    T* dx = dlogits + r * classes;
    const bool ignored = labels[r] == ignore_index;
    const vec<T> shift(maximum[r]), scale(factor * inverse_sum[r]);
    for_each_register<T>(
        classes, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> gradient = exp(lanes.load(x + i) - shift) * scale - uniform;
          lanes.store(dx + i, ignored ? vec<T>::zero() : gradient);
        });
    if (!ignored) dx[labels[r]] -= factor * (T(1) - smoothing);
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
