// The SIMD vocabulary: the names of the instruction sets, and of the vector type that every kernel is written over.
//
// `simd::vec<T, Isa>` holds as many values of T (float or double) as one register of that instruction set. It comes
// from one of two back ends with the same members: `simd_vec.isa.hpp` (compiler vector extensions) or
// `simd_xsimd.isa.hpp` (the xsimd library). Both are included once per instruction set, with two macros defined:
//   LINTEL_ISA           baseline, avx2, avx512, neon, avx512_bf16 or amx_bf16: the tag below, and the kernels'
//   namespace LINTEL_VECTOR_BYTES  16, 32, 64, 16, 64 or 64
// Kernels name the set in the type, so that code for one CPU can never be linked in place of code for another.
//
// The vocabulary (a, b, c are vectors, m is a `vec::mask`, n a number of lanes, 0 <= n <= width):
//   vec::width                       lanes
//   vec(T), vec::zero()              every lane the same; the conversion from T is implicit
//   vec::load(p), a.store(p)         `width` values, no alignment assumed
//   vec::load_partial(p, n)          the first n values, zeros behind them; never reads past n
//   a.store_partial(p, n)            the first n lanes; never writes past n
//   + - * / += -= *= /=, unary -     lane by lane
//   fma(a, b, c), fnma(a, b, c)      a*b + c and c - a*b, rounded once where the set has FMA
//   min(a, b), max(a, b)             which one is returned is unspecified when one of them is NaN
//   abs(a), copysign(a, b)           by the sign bit, so NaN and -0 pass
//   sqrt(a), round(a), floor(a)      `round` goes to the nearest integer, ties to even
//   < <= > >= ==                     masks; every comparison with NaN is false
//   m & m, m | m, !m, any(m), all(m)
//   select(m, a, b)                  a where m, b elsewhere
//   isnan(a)                         mask
//   reduce_add, reduce_max, reduce_min(a)   one T, lanes combined in a fixed order (halves upon halves)
//   exp2_int(a)                      2^a; a is integer-valued and 2^a a normal number
//   split_exponent(a, e)             m in [sqrt(1/2), sqrt(2)) and integer-valued e with a = m*2^e, a positive, normal
#pragma once

#include <cstdint>

namespace lintel::simd {

/// What the compiler assumes without flags (SSE2 on x86-64).
struct baseline {};
/// x86-64 with AVX2 and FMA.
struct avx2 {};
/// x86-64 with AVX-512 F, BW, DQ, VL and CD.
struct avx512 {};
/// AArch64 with Advanced SIMD.
struct neon {};
/// AVX-512 with what multiplies matrices of bfloat16, see core/bfloat16_unit.hpp.
struct avx512_bf16 {};
struct amx_bf16 {};

/// One register full of T. Declared here only; the back ends define it for the set they are included for.
template <class T, class Isa>
struct vec;

/// The compiler's types for one register of T and of unsigned integers of that size; see `simd_native.isa.hpp`.
template <class T, class Isa>
struct registers;

/// The few register operations that compiler vector extensions lack; see `simd_native.isa.hpp`.
template <class T, class Isa>
struct native;

/// The layout of an IEEE number, as unsigned bits.
template <class T>
struct ieee;

template <>
struct ieee<float> {
  using bits = std::uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr int exponent_bias = 127;
  static constexpr bits sign_mask = 0x80000000u;
  static constexpr bits sqrt_half = 0x3f3504f3u;
};

template <>
struct ieee<double> {
  using bits = std::uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr int exponent_bias = 1023;
  static constexpr bits sign_mask = 0x8000000000000000u;
  static constexpr bits sqrt_half = 0x3fe6a09e667f3bcdu;
};

}  // namespace lintel::simd
