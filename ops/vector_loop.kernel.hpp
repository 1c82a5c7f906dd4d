// Walking a row one register at a time, once per instruction set: no include guard, see kernels.isa.hpp.
#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::kernels::LINTEL_ISA {

/// A step of the walk in which every lane holds an element.
template <class T>
struct WholeRegister {
  LINTEL_INLINE vec<T> load(const T* source) const { return vec<T>::load(source); }
  LINTEL_INLINE void store(T* target, vec<T> a) const { a.store(target); }
  LINTEL_INLINE vec<T> only(vec<T> a, T) const { return a; }
};

/// The last step of a walk whose length is no multiple of the register's width.
template <class T>
struct PartOfRegister {
  std::int64_t count;

  LINTEL_INLINE vec<T> load(const T* source) const { return vec<T>::load_partial(source, count); }
  LINTEL_INLINE void store(T* target, vec<T> a) const { a.store_partial(target, count); }
  /// `a` with the lanes behind the last element replaced, so that a reduction over all lanes does not see them.
  LINTEL_INLINE vec<T> only(vec<T> a, T replacement) const {
    T lanes[vec<T>::width];
    vec<T>(replacement).store(lanes);
    a.store_partial(lanes, count);
    return vec<T>::load(lanes);
  }
};

/// Calls `step(i, lanes)` for i = 0, width, 2·width, … below `count`, with a `WholeRegister` and at last, perhaps, a
/// `PartOfRegister`.
template <class T, class Step>
LINTEL_INLINE void for_each_register(std::int64_t count, Step step) {
  std::int64_t i = 0;
  for (; i + vec<T>::width <= count; i += vec<T>::width) step(i, WholeRegister<T>{});
  if (i < count) step(i, PartOfRegister<T>{count - i});
}

/// Asks for the cache line of an element that is read soon. A pass over memory that visits each row more than once
/// would otherwise wait at every row: the hardware's own prefetching does not go far beyond what was read.
template <class T>
LINTEL_INLINE void fetch(const T* element) {
  __builtin_prefetch(element);
}

/// Σ term(i, lanes) over all elements; what `term` computes in lanes behind the last element is left out. Four sums
/// side by side, since one would wait for its own last addition.
template <class T, class Term>
LINTEL_INLINE T sum_over(std::int64_t count, Term term) {
  constexpr int width = vec<T>::width;
  vec<T> sum0 = vec<T>::zero(), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  std::int64_t i = 0;
  for (; i + 4 * width <= count; i += 4 * width) {
    sum0 += term(i, WholeRegister<T>{});
    sum1 += term(i + width, WholeRegister<T>{});
    sum2 += term(i + 2 * width, WholeRegister<T>{});
    sum3 += term(i + 3 * width, WholeRegister<T>{});
  }
  for (; i + width <= count; i += width) sum0 += term(i, WholeRegister<T>{});
  if (i < count) {
    const PartOfRegister<T> rest{count - i};
    sum1 += rest.only(term(i, rest), T(0));
  }
  return reduce_add((sum0 + sum1) + (sum2 + sum3));
}

/// The largest of x[0 … count); −∞ when there is none.
template <class T>
LINTEL_INLINE T max_over(const T* x, std::int64_t count) {
  constexpr T lowest = -infinity<T>;
  vec<T> largest = vec<T>(lowest);
  for_each_register<T>(
      count, [&](std::int64_t i, auto lanes)
                 __attribute__((always_inline)) { largest = max(largest, lanes.only(lanes.load(x + i), lowest)); });
  return reduce_max(largest);
}

/// A function of one number, computed in the first lane of a register.
template <class T, class Function>
LINTEL_INLINE T on_scalar(T x, Function f) {
  return f(vec<T>(x)).lanes()[0];
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
