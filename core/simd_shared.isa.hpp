// The part of the SIMD vocabulary that both back ends share, once per instruction set: no include guard, see simd.hpp.
// It works on the bits of a number, and on lanes.

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::simd {

template <class T>
LINTEL_INLINE vec<T, LINTEL_ISA> abs(vec<T, LINTEL_ISA> a) {
  using V = vec<T, LINTEL_ISA>;
  return V::from_bits(a.bits() & V::all_bits(~ieee<T>::sign_mask));
}

/// The magnitude of `a` with the sign of `b`.
template <class T>
LINTEL_INLINE vec<T, LINTEL_ISA> copysign(vec<T, LINTEL_ISA> a, vec<T, LINTEL_ISA> b) {
  using V = vec<T, LINTEL_ISA>;
  return V::from_bits((a.bits() & V::all_bits(~ieee<T>::sign_mask)) | (b.bits() & V::all_bits(ieee<T>::sign_mask)));
}

template <class T>
LINTEL_INLINE vec<T, LINTEL_ISA> floor(vec<T, LINTEL_ISA> a) {
  using V = vec<T, LINTEL_ISA>;
  const V nearest = round(a);
  return nearest - select(nearest > a, V(T(1)), V::zero());
}

/// 2^a by writing a into the exponent field. Adding 1.5 * 2^mantissa_bits moves the biased exponent into the lowest
/// bits of the number, from where a shift puts it in place: no integer conversion, which AVX2 lacks for 64 bits.
template <class T>
LINTEL_INLINE vec<T, LINTEL_ISA> exp2_int(vec<T, LINTEL_ISA> a) {
  using V = vec<T, LINTEL_ISA>;
  constexpr T shifter = static_cast<T>(std::int64_t{3} << (ieee<T>::mantissa_bits - 1));
  return V::from_bits((a + V(shifter + T(ieee<T>::exponent_bias))).bits() << ieee<T>::mantissa_bits);
}

/// Splits a positive normal `a` into m * 2^exponent, m in [sqrt(1/2), sqrt(2)). Subtracting the bits of sqrt(1/2) makes
/// the exponent field change at that number instead of at 1.
template <class T>
LINTEL_INLINE vec<T, LINTEL_ISA> split_exponent(vec<T, LINTEL_ISA> a, vec<T, LINTEL_ISA>& exponent) {
  using V = vec<T, LINTEL_ISA>;
  using Bits = typename ieee<T>::bits;
  constexpr int shift = ieee<T>::mantissa_bits;
  constexpr Bits one = Bits{ieee<T>::exponent_bias} << shift;
  constexpr T two_to_mantissa = static_cast<T>(std::int64_t{1} << shift);
  const auto moved = a.bits() + V::all_bits(one - ieee<T>::sqrt_half);
  // The biased exponent as a number: its bits under those of 2^mantissa_bits, from which 2^mantissa_bits is taken away.
  exponent =
      V::from_bits((moved >> shift) | V(two_to_mantissa).bits()) - V(two_to_mantissa + T(ieee<T>::exponent_bias));
  return V::from_bits((moved & V::all_bits((Bits{1} << shift) - 1)) + V::all_bits(ieee<T>::sqrt_half));
}

/// Combines the lanes: those of the upper half with those of the lower half, and again with what is left.
template <class T, class Combine>
LINTEL_INLINE T fold_lanes(vec<T, LINTEL_ISA> a, Combine combine) {
  using V = vec<T, LINTEL_ISA>;
  using Bits = typename V::bits_register;
  Bits x = a.bits();
  const auto combine_with = [&](Bits y) __attribute__((always_inline)) {
    x = combine(V::from_bits(x), V::from_bits(y)).bits();
  };
  if constexpr (V::width == 16) {
    combine_with(__builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    combine_with(__builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    combine_with(__builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    combine_with(__builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
  } else if constexpr (V::width == 8) {
    combine_with(__builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3));
    combine_with(__builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5));
    combine_with(__builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6));
  } else if constexpr (V::width == 4) {
    combine_with(__builtin_shufflevector(x, x, 2, 3, 0, 1));
    combine_with(__builtin_shufflevector(x, x, 1, 0, 3, 2));
  } else {
    static_assert(V::width == 2);
    combine_with(__builtin_shufflevector(x, x, 1, 0));
  }
  return V::from_bits(x).lanes()[0];
}

template <class T>
LINTEL_INLINE T reduce_add(vec<T, LINTEL_ISA> a) {
  using V = vec<T, LINTEL_ISA>;
  return fold_lanes(
      a, [](V x, V y) __attribute__((always_inline)) { return x + y; });
}

template <class T>
LINTEL_INLINE T reduce_max(vec<T, LINTEL_ISA> a) {
  using V = vec<T, LINTEL_ISA>;
  return fold_lanes(
      a, [](V x, V y) __attribute__((always_inline)) { return max(x, y); });
}

template <class T>
LINTEL_INLINE T reduce_min(vec<T, LINTEL_ISA> a) {
  using V = vec<T, LINTEL_ISA>;
  return fold_lanes(
      a, [](V x, V y) __attribute__((always_inline)) { return min(x, y); });
}

}  // namespace lintel::simd

#undef LINTEL_INLINE
