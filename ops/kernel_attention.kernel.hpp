// Kernels of kernel_attention beside its matrix products, once per instruction set: no include guard, see
// kernels.isa.hpp.

namespace lintel::kernels::LINTEL_ISA {

/// Of a (size, size) product of queries and keys of one chunk, keeps what a query may see: its own key and earlier
/// ones. Adds the sum of what is left of row r to sums[r], unless `sums` is null.
template <class T>
void keep_past(T* scores, T* sums, std::int64_t size) {
  for (std::int64_t r = 0; r < size; ++r, scores += size) {
    if (sums) {
      sums[r] += sum_over<T>(
          r + 1, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) { return lanes.load(scores + i); });
    }
    for (std::int64_t i = r + 1; i < size; ++i) scores[i] = 0;
  }
}

/// The cotangent of `keep_past`: adds dsums[r] to what row r keeps and sets the rest to 0.
template <class T>
void keep_past_backward(T* dscores, const T* dsums, std::int64_t size) {
  for (std::int64_t r = 0; r < size; ++r, dscores += size) {
    for_each_register<T>(
        r + 1, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
          lanes.store(dscores + i, lanes.load(dscores + i) + vec<T>(dsums[r]));
        });
    for (std::int64_t i = r + 1; i < size; ++i) dscores[i] = 0;
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
