// Kernels of softmax_attention beside its matrix products, once per instruction set: no include guard, see
// kernels.isa.hpp. A block of scores has `rows` queries by `columns` keys; query r sees the first
// min(columns, first_visible + r·growth) keys, with growth 1 when causal and 0 when not.

namespace lintel::kernels::LINTEL_ISA {

[[gnu::always_inline]] inline std::int64_t visible_keys(std::int64_t row, std::int64_t columns,
                                                        std::int64_t first_visible, std::int64_t growth) {
  const std::int64_t visible = first_visible + row * growth;
  return visible < columns ? visible : columns;
}

/// The scores of one block of keys to weights that are not normalised yet, e^(s − maximum), 0 where not visible, for
/// rows that may have met other keys before: raises each row's maximum to that of its visible scores, scales what it
/// had by e^(old maximum − new), that is its sum and its weighted sum of values o (rows, values), and adds to the sum.
/// A row that has met no key has maximum −infinity and sum 0.
template <class T>
void score_weights_forward(T* scores, T* maximum, T* sum, T* o, std::int64_t o_stride, std::int64_t values,
                           std::int64_t rows, std::int64_t columns, std::int64_t first_visible, std::int64_t growth) {
  for (std::int64_t r = 0; r < rows; ++r, scores += columns, o += o_stride) {
    const std::int64_t visible = visible_keys(r, columns, first_visible, growth);
    const T before = maximum[r], here = max_over(scores, visible);
    const T largest = here > before || here != here ? here : before;  // a NaN stays
    if (largest == -infinity<T>) {
      for (std::int64_t i = 0; i < columns; ++i) scores[i] = 0;
      continue;
    }
    if (largest != before) {
      const vec<T> factor = before == -infinity<T> ? vec<T>::zero() : exp(vec<T>(before - largest));
      sum[r] *= reduce_add(factor) / vec<T>::width;  // its lanes are equal
      for_each_register<T>(
          values, [&](std::int64_t i, auto lanes)
                      __attribute__((always_inline)) { lanes.store(o + i, lanes.load(o + i) * factor); });
    }
    maximum[r] = largest;
    sum[r] += exp_row(scores, largest, scores, visible);
    for (std::int64_t i = visible; i < columns; ++i) scores[i] = 0;
  }
}

/// Scores to normalised weights w = e^(s − maximum) / sum, and the weights' cotangents to those of the scores,
/// w·(dw − mean[r]), where mean[r] = Σ w·dw.
template <class T>
void score_weights_backward(T* scores, T* dweights, const T* maximum, const T* sum, const T* mean, std::int64_t rows,
                            std::int64_t columns, std::int64_t first_visible, std::int64_t growth) {
  for (std::int64_t r = 0; r < rows; ++r, scores += columns, dweights += columns) {
    const std::int64_t visible = visible_keys(r, columns, first_visible, growth);
    const vec<T> shift(maximum[r]), scale(T(1) / sum[r]), center(mean[r]);
    for_each_register<T>(
        visible, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          const vec<T> weight = exp(lanes.load(scores + i) - shift) * scale;
          lanes.store(scores + i, weight);
          lanes.store(dweights + i, weight * (lanes.load(dweights + i) - center));
        });
    for (std::int64_t i = visible; i < columns; ++i) scores[i] = dweights[i] = 0;
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
