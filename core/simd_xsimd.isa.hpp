// `simd::vec` over xsimd (8.1 or later), once per instruction set: no include guard, see simd.hpp.
// xsimd takes its architecture from the compiler's flags, so a translation unit can include this for one set only.
#include <lintel/core/simd.hpp>
#include <lintel/core/simd_native.isa.hpp>

#include <xsimd/xsimd.hpp>

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::simd {

template <class T>
struct vec<T, LINTEL_ISA> {
  using value_type = T;
  using bits_type = typename ieee<T>::bits;
  using register_type = typename registers<T, LINTEL_ISA>::type;
  using bits_register = typename registers<T, LINTEL_ISA>::bits;
  using own = native<T, LINTEL_ISA>;
  using batch = xsimd::batch<T>;
  using batch_mask = typename batch::batch_bool_type;

  static constexpr int width = LINTEL_VECTOR_BYTES / static_cast<int>(sizeof(T));
  static_assert(batch::size == width, "the compiler's flags are not those of LINTEL_ISA");

  struct mask {
    batch_mask value;

    LINTEL_INLINE explicit mask(batch_mask lanes) : value(lanes) {}

    LINTEL_INLINE friend mask operator&(mask a, mask b) { return mask(a.value & b.value); }
    LINTEL_INLINE friend mask operator|(mask a, mask b) { return mask(a.value | b.value); }
    LINTEL_INLINE friend mask operator!(mask a) { return mask(!a.value); }
    LINTEL_INLINE friend bool any(mask a) { return xsimd::any(a.value); }
    LINTEL_INLINE friend bool all(mask a) { return xsimd::all(a.value); }
  };

  batch value;

  LINTEL_INLINE vec() = default;
  LINTEL_INLINE vec(T number) : value(number) {}
  LINTEL_INLINE explicit vec(batch lanes) : value(lanes) {}
  LINTEL_INLINE static vec zero() { return vec(T(0)); }

  LINTEL_INLINE static vec load(const T* source) { return vec(batch::load_unaligned(source)); }
  LINTEL_INLINE void store(T* target) const { value.store_unaligned(target); }
  LINTEL_INLINE static vec load_partial(const T* source, std::int64_t count) {
    return vec(batch(own::load_partial(source, count)));
  }
  LINTEL_INLINE void store_partial(T* target, std::int64_t count) const { own::store_partial(target, count, lanes()); }

  /// The compiler's own vector, the same register as unsigned integers, and back from these.
  LINTEL_INLINE register_type lanes() const { return value.data; }
  LINTEL_INLINE bits_register bits() const { return (bits_register)lanes(); }
  LINTEL_INLINE static vec from_bits(bits_register lanes) { return vec(batch((register_type)lanes)); }
  LINTEL_INLINE static bits_register all_bits(bits_type number) { return bits_register{} + number; }

  LINTEL_INLINE friend vec operator+(vec a, vec b) { return vec(a.value + b.value); }
  LINTEL_INLINE friend vec operator-(vec a, vec b) { return vec(a.value - b.value); }
  LINTEL_INLINE friend vec operator*(vec a, vec b) { return vec(a.value * b.value); }
  LINTEL_INLINE friend vec operator/(vec a, vec b) { return vec(a.value / b.value); }
  LINTEL_INLINE friend vec operator-(vec a) { return vec(-a.value); }
  LINTEL_INLINE vec& operator+=(vec b) { return *this = *this + b; }
  LINTEL_INLINE vec& operator-=(vec b) { return *this = *this - b; }
  LINTEL_INLINE vec& operator*=(vec b) { return *this = *this * b; }
  LINTEL_INLINE vec& operator/=(vec b) { return *this = *this / b; }

  LINTEL_INLINE friend mask operator<(vec a, vec b) { return mask(a.value < b.value); }
  LINTEL_INLINE friend mask operator<=(vec a, vec b) { return mask(a.value <= b.value); }
  LINTEL_INLINE friend mask operator>(vec a, vec b) { return mask(a.value > b.value); }
  LINTEL_INLINE friend mask operator>=(vec a, vec b) { return mask(a.value >= b.value); }
  LINTEL_INLINE friend mask operator==(vec a, vec b) { return mask(a.value == b.value); }
  LINTEL_INLINE friend mask isnan(vec a) { return mask(xsimd::isnan(a.value)); }
  LINTEL_INLINE friend vec select(mask m, vec a, vec b) { return vec(xsimd::select(m.value, a.value, b.value)); }

  // Not xsimd::fma: 8.1 multiplies and adds with AVX-512, rounding twice at half the speed.
  LINTEL_INLINE friend vec fma(vec a, vec b, vec c) {
    return vec(batch(register_type(own::fma(a.lanes(), b.lanes(), c.lanes()))));
  }
  LINTEL_INLINE friend vec fnma(vec a, vec b, vec c) {
    return vec(batch(register_type(own::fnma(a.lanes(), b.lanes(), c.lanes()))));
  }
  LINTEL_INLINE friend vec min(vec a, vec b) { return vec(xsimd::min(a.value, b.value)); }
  LINTEL_INLINE friend vec max(vec a, vec b) { return vec(xsimd::max(a.value, b.value)); }
  LINTEL_INLINE friend vec sqrt(vec a) { return vec(xsimd::sqrt(a.value)); }
  LINTEL_INLINE friend vec round(vec a) { return vec(xsimd::nearbyint(a.value)); }
};

}  // namespace lintel::simd

#undef LINTEL_INLINE

#include <lintel/core/simd_shared.isa.hpp>
