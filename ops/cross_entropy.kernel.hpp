// Kernels of cross_entropy, once per instruction set: no include guard, see kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// A row of which nothing was read.
template <class T>
[[gnu::always_inline]] inline LogitRow<T> unread_row() {
  return {-infinity<T>, 0, 0, 0};
}

/// Reads more of a row, once, in chunks that stay in the first cache: a chunk with a larger maximum rescales what was
/// summed.
template <class T>
[[gnu::always_inline]] inline void read_logits(const T* x, std::int64_t columns, LogitRow<T>& row) {
  constexpr std::int64_t chunk = 1024;
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
    vec<T> powers = vec<T>::zero(), sum = vec<T>::zero();
    for_each_register<T>(
        count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> logit = lanes.load(part + i);
          powers += lanes.only(exp(logit - shift), T(0));
          sum += logit;  // lanes behind the end hold 0
        });
    row.exponential_sum += reduce_add(powers);
    row.sum += reduce_add(sum);
  }
}

/// (1 − smoothing)·loss(label) + smoothing·mean over classes of loss(class), loss(class) = log Σ e^x − x[class], of a
/// row that was read to its end.
template <class T>
[[gnu::always_inline]] inline T loss_of(const LogitRow<T>& row, std::int64_t classes, T smoothing) {
  const T log_sum = on_scalar(
      row.exponential_sum, [](vec<T> a) __attribute__((always_inline)) { return log(a); });
  const T loss = (row.maximum - row.of_label) + log_sum;
  // Only when asked for: 0 · ∞ would make the loss of a row with an excluded class (−∞) NaN.
  if (!(smoothing > 0)) return loss;
  const T of_all_classes = (row.maximum - row.sum / static_cast<T>(classes)) + log_sum;
  return (T(1) - smoothing) * loss + smoothing * of_all_classes;
}

/// Returns Σ over rows of their losses. Keeps each row's maximum and 1/Σ e^(x − maximum); ignored rows are skipped.
template <class T>
double cross_entropy_forward(const T* logits, const std::int64_t* labels, T* maximum, T* inverse_sum, std::int64_t rows,
                             std::int64_t classes, std::int64_t ignore_index, T smoothing) {
  double total = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    maximum[r] = inverse_sum[r] = 0;
    if (labels[r] == ignore_index) continue;
    const T* x = logits + r * classes;
    LogitRow<T> row = unread_row<T>();
    read_logits(x, classes, row);
    row.of_label = x[labels[r]];
    total += static_cast<double>(loss_of(row, classes, smoothing));
    maximum[r] = row.maximum;
    inverse_sum[r] = T(1) / row.exponential_sum;
  }
  return total;
}

/// Reads the logits (rows, classes.count) of a block of classes; the first block starts the rows.
template <class T>
void cross_entropy_read(const T* logits, const std::int64_t* labels, LogitRow<T>* read, std::int64_t rows,
                        ClassBlock classes) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* x = logits + r * classes.count;
    if (classes.first == 0) read[r] = unread_row<T>();
    read_logits(x, classes.count, read[r]);
    const std::int64_t label = labels[r] - classes.first;
    if (label >= 0 && label < classes.count) read[r].of_label = x[label];
  }
}

/// As `cross_entropy_forward`, of rows that `cross_entropy_read` has read to their ends.
template <class T>
double cross_entropy_finish(const LogitRow<T>* read, const std::int64_t* labels, T* maximum, T* inverse_sum,
                            std::int64_t rows, std::int64_t classes, std::int64_t ignore_index, T smoothing) {
  double total = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    maximum[r] = inverse_sum[r] = 0;
    if (labels[r] == ignore_index) continue;
    total += static_cast<double>(loss_of(read[r], classes, smoothing));
    maximum[r] = read[r].maximum;
    inverse_sum[r] = T(1) / read[r].exponential_sum;
  }
  return total;
}

/// dlogits = factor·(softmax(x) − (1 − smoothing)·onehot(label) − smoothing/classes.all) for the logits
/// (rows, classes.count) of a block of classes, 0 in ignored rows. `dlogits` may be `logits`.
template <class T>
void cross_entropy_backward(const T* logits, const std::int64_t* labels, const T* maximum, const T* inverse_sum,
                            T factor, T* dlogits, std::int64_t rows, ClassBlock classes, std::int64_t ignore_index,
                            T smoothing) {
  const vec<T> uniform(factor * smoothing / static_cast<T>(classes.all));
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* x = logits + r * classes.count;
    T* dx = dlogits + r * classes.count;
    const bool ignored = labels[r] == ignore_index;
    const vec<T> shift(maximum[r]), scale(factor * inverse_sum[r]);
    for_each_register<T>(
        classes.count, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> gradient = exp(lanes.load(x + i) - shift) * scale - uniform;
          lanes.store(dx + i, ignored ? vec<T>::zero() : gradient);
        });
    const std::int64_t label = labels[r] - classes.first;
    if (!ignored && label >= 0 && label < classes.count) dx[label] -= factor * (T(1) - smoothing);
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
