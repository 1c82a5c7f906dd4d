// The probe of one instruction set, see simd_probe.hpp: no include guard.
#include "simd_probe.hpp"

#if defined(LINTEL_HAVE_XSIMD)
#include <lintel/core/simd_xsimd.isa.hpp>
#else
#include <lintel/core/simd_vec.isa.hpp>
#endif

namespace lintel::kernels::LINTEL_ISA {

using simd_probe::Lanewise;
using simd_probe::Reduction;

template <class T>
void probe_lanewise(Lanewise operation, const T* first, const T* second, const T* third, T* result) {
  using V = simd::vec<T, simd::LINTEL_ISA>;
  const V a = V::load(first), b = V::load(second), c = V::load(third);
  V exponent = V::zero();
  switch (operation) {
    case Lanewise::broadcast:
      return V(third[0]).store(result);
    case Lanewise::add:
      return (a + b).store(result);
    case Lanewise::sub:
      return (a - b).store(result);
    case Lanewise::mul:
      return (a * b).store(result);
    case Lanewise::div:
      return (a / b).store(result);
    case Lanewise::negate:
      return (-a).store(result);
    case Lanewise::fma:
      return fma(a, b, c).store(result);
    case Lanewise::fnma:
      return fnma(a, b, c).store(result);
    case Lanewise::min:
      return min(a, b).store(result);
    case Lanewise::max:
      return max(a, b).store(result);
    case Lanewise::abs:
      return abs(a).store(result);
    case Lanewise::copysign:
      return copysign(a, b).store(result);
    case Lanewise::sqrt:
      return sqrt(a).store(result);
    case Lanewise::round:
      return round(a).store(result);
    case Lanewise::floor:
      return floor(a).store(result);
    case Lanewise::less:
      return select(a < b, V(1), V(0)).store(result);
    case Lanewise::less_equal:
      return select(a <= b, V(1), V(0)).store(result);
    case Lanewise::greater:
      return select(a > b, V(1), V(0)).store(result);
    case Lanewise::greater_equal:
      return select(a >= b, V(1), V(0)).store(result);
    case Lanewise::equal:
      return select(a == b, V(1), V(0)).store(result);
    case Lanewise::isnan:
      return select(isnan(a), V(1), V(0)).store(result);
    case Lanewise::both:
      return select((a < b) & (b < c), V(1), V(0)).store(result);
    case Lanewise::either:
      return select((a < b) | (b < c), V(1), V(0)).store(result);
    case Lanewise::not_less:
      return select(!(a < b), V(1), V(0)).store(result);
    case Lanewise::select:
      return select(a < b, a, c).store(result);
    case Lanewise::exp2_int:
      return exp2_int(a).store(result);
    case Lanewise::mantissa:
      return split_exponent(a, exponent).store(result);
    case Lanewise::exponent:
      split_exponent(a, exponent);
      return exponent.store(result);
  }
}

template <class T>
T probe_reduce(Reduction operation, const T* first, const T* second) {
  using V = simd::vec<T, simd::LINTEL_ISA>;
  const V a = V::load(first), b = V::load(second);
  switch (operation) {
    case Reduction::add:
      return reduce_add(a);
    case Reduction::max:
      return reduce_max(a);
    case Reduction::min:
      return reduce_min(a);
    case Reduction::any_less:
      return any(a < b) ? T(1) : T(0);
    case Reduction::all_less:
      return all(a < b) ? T(1) : T(0);
  }
  return T(0);
}

template <class T>
void probe_load_partial(const T* source, std::int64_t count, T* all_lanes) {
  simd::vec<T, simd::LINTEL_ISA>::load_partial(source, count).store(all_lanes);
}

template <class T>
void probe_store_partial(T* target, std::int64_t count, const T* all_lanes) {
  simd::vec<T, simd::LINTEL_ISA>::load(all_lanes).store_partial(target, count);
}

template <class T>
simd_probe::Probe<T> probe() {
  return {simd::vec<T, simd::LINTEL_ISA>::width, probe_lanewise<T>, probe_reduce<T>, probe_load_partial<T>,
          probe_store_partial<T>};
}

simd_probe::Probes probes() { return {probe<float>(), probe<double>()}; }

}  // namespace lintel::kernels::LINTEL_ISA
