// Register operations that compiler vector extensions lack, once per instruction set: no include guard, see simd.hpp.
// `native<T, Isa>` works on the compiler's own vector types, which is also what xsimd's registers are.
#include <lintel/core/simd.hpp>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define LINTEL_INLINE [[gnu::always_inline]] static inline

namespace lintel::simd {

// Spelt out for each T: g++ 12 ignores `vector_size` on a type that depends on a template parameter.
template <>
struct registers<float, LINTEL_ISA> {
  typedef float type __attribute__((vector_size(LINTEL_VECTOR_BYTES)));
  typedef std::uint32_t bits __attribute__((vector_size(LINTEL_VECTOR_BYTES)));
};

template <>
struct registers<double, LINTEL_ISA> {
  typedef double type __attribute__((vector_size(LINTEL_VECTOR_BYTES)));
  typedef std::uint64_t bits __attribute__((vector_size(LINTEL_VECTOR_BYTES)));
};

#if LINTEL_VECTOR_BYTES == 64

template <>
struct native<float, LINTEL_ISA> {
  using type = registers<float, LINTEL_ISA>::type;
  LINTEL_INLINE type fma(type a, type b, type c) { return _mm512_fmadd_ps(a, b, c); }
  LINTEL_INLINE type fnma(type a, type b, type c) { return _mm512_fnmadd_ps(a, b, c); }
  LINTEL_INLINE type sqrt(type a) { return _mm512_sqrt_ps(a); }
  LINTEL_INLINE type round(type a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  LINTEL_INLINE unsigned sign_bits(type a) { return _mm512_movepi32_mask(_mm512_castps_si512(a)); }
  LINTEL_INLINE __mmask16 first(std::int64_t count) { return static_cast<__mmask16>((1u << count) - 1u); }
  LINTEL_INLINE type load_partial(const float* source, std::int64_t count) {
    return _mm512_maskz_loadu_ps(first(count), source);
  }
  LINTEL_INLINE void store_partial(float* target, std::int64_t count, type a) {
    _mm512_mask_storeu_ps(target, first(count), a);
  }
};

template <>
struct native<double, LINTEL_ISA> {
  using type = registers<double, LINTEL_ISA>::type;
  LINTEL_INLINE type fma(type a, type b, type c) { return _mm512_fmadd_pd(a, b, c); }
  LINTEL_INLINE type fnma(type a, type b, type c) { return _mm512_fnmadd_pd(a, b, c); }
  LINTEL_INLINE type sqrt(type a) { return _mm512_sqrt_pd(a); }
  LINTEL_INLINE type round(type a) { return _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  LINTEL_INLINE unsigned sign_bits(type a) { return _mm512_movepi64_mask(_mm512_castpd_si512(a)); }
  LINTEL_INLINE __mmask8 first(std::int64_t count) { return static_cast<__mmask8>((1u << count) - 1u); }
  LINTEL_INLINE type load_partial(const double* source, std::int64_t count) {
    return _mm512_maskz_loadu_pd(first(count), source);
  }
  LINTEL_INLINE void store_partial(double* target, std::int64_t count, type a) {
    _mm512_mask_storeu_pd(target, first(count), a);
  }
};

#elif LINTEL_VECTOR_BYTES == 32

template <>
struct native<float, LINTEL_ISA> {
  using type = registers<float, LINTEL_ISA>::type;
  LINTEL_INLINE type fma(type a, type b, type c) { return _mm256_fmadd_ps(a, b, c); }
  LINTEL_INLINE type fnma(type a, type b, type c) { return _mm256_fnmadd_ps(a, b, c); }
  LINTEL_INLINE type sqrt(type a) { return _mm256_sqrt_ps(a); }
  LINTEL_INLINE type round(type a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  LINTEL_INLINE unsigned sign_bits(type a) { return static_cast<unsigned>(_mm256_movemask_ps(a)); }
  LINTEL_INLINE __m256i first(std::int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  LINTEL_INLINE type load_partial(const float* source, std::int64_t count) {
    return _mm256_maskload_ps(source, first(count));
  }
  LINTEL_INLINE void store_partial(float* target, std::int64_t count, type a) {
    _mm256_maskstore_ps(target, first(count), a);
  }
};

template <>
struct native<double, LINTEL_ISA> {
  using type = registers<double, LINTEL_ISA>::type;
  LINTEL_INLINE type fma(type a, type b, type c) { return _mm256_fmadd_pd(a, b, c); }
  LINTEL_INLINE type fnma(type a, type b, type c) { return _mm256_fnmadd_pd(a, b, c); }
  LINTEL_INLINE type sqrt(type a) { return _mm256_sqrt_pd(a); }
  LINTEL_INLINE type round(type a) { return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  LINTEL_INLINE unsigned sign_bits(type a) { return static_cast<unsigned>(_mm256_movemask_pd(a)); }
  LINTEL_INLINE __m256i first(std::int64_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  LINTEL_INLINE type load_partial(const double* source, std::int64_t count) {
    return _mm256_maskload_pd(source, first(count));
  }
  LINTEL_INLINE void store_partial(double* target, std::int64_t count, type a) {
    _mm256_maskstore_pd(target, first(count), a);
  }
};

#else  // 16 bytes: SSE2, Advanced SIMD, or whatever the compiler makes of it

template <class T>
struct native<T, LINTEL_ISA> {
  using type = typename registers<T, LINTEL_ISA>::type;
  static constexpr int width = 16 / sizeof(T);

#if defined(__aarch64__)
  LINTEL_INLINE type fma(type a, type b, type c) {
    if constexpr (sizeof(T) == 4) return vfmaq_f32(c, a, b);
    if constexpr (sizeof(T) == 8) return vfmaq_f64(c, a, b);
  }
  LINTEL_INLINE type fnma(type a, type b, type c) {
    if constexpr (sizeof(T) == 4) return vfmsq_f32(c, a, b);
    if constexpr (sizeof(T) == 8) return vfmsq_f64(c, a, b);
  }
  LINTEL_INLINE type sqrt(type a) {
    if constexpr (sizeof(T) == 4) return vsqrtq_f32(a);
    if constexpr (sizeof(T) == 8) return vsqrtq_f64(a);
  }
  LINTEL_INLINE type round(type a) {
    if constexpr (sizeof(T) == 4) return vrndnq_f32(a);
    if constexpr (sizeof(T) == 8) return vrndnq_f64(a);
  }
#else
  LINTEL_INLINE type fma(type a, type b, type c) { return a * b + c; }
  LINTEL_INLINE type fnma(type a, type b, type c) { return c - a * b; }
  LINTEL_INLINE type sqrt(type a) {
#if defined(__SSE2__)
    if constexpr (sizeof(T) == 4) return _mm_sqrt_ps(a);
    if constexpr (sizeof(T) == 8) return _mm_sqrt_pd(a);
#else
    for (int i = 0; i < width; ++i) a[i] = static_cast<T>(__builtin_sqrt(a[i]));
    return a;
#endif
  }
  // SSE2 has no rounding instruction. 2^mantissa_bits leaves no room for a fraction, so adding it rounds. From there on
  // every number is an integer.
  LINTEL_INLINE type round(type a) {
    constexpr T large = static_cast<T>(std::int64_t{1} << ieee<T>::mantissa_bits);
    const type magnitude = a < 0 ? -a : a;
    const type rounded = (magnitude + large) - large;
    const type with_sign = a < 0 ? -rounded : rounded;
    return magnitude < large ? with_sign : a;
  }
#endif

  LINTEL_INLINE unsigned sign_bits(type a) {
#if defined(__SSE2__)
    if constexpr (sizeof(T) == 4) return static_cast<unsigned>(_mm_movemask_ps(a));
    if constexpr (sizeof(T) == 8) return static_cast<unsigned>(_mm_movemask_pd(a));
#else
    unsigned bits = 0;
    for (int i = 0; i < width; ++i) bits |= (__builtin_signbit(a[i]) ? 1u : 0u) << i;
    return bits;
#endif
  }
  LINTEL_INLINE type load_partial(const T* source, std::int64_t count) {
    type a{};
    for (int i = 0; i < width; ++i) {
      if (i < count) a[i] = source[i];
    }
    return a;
  }
  LINTEL_INLINE void store_partial(T* target, std::int64_t count, type a) {
    for (int i = 0; i < width; ++i) {
      if (i < count) target[i] = a[i];
    }
  }
};

#endif

}  // namespace lintel::simd

#undef LINTEL_INLINE
