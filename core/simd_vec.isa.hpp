// `simd::vec` over the vector extensions of GCC and clang, once per instruction set: no include guard, see simd.hpp.
// Every function is always_inline: g++ 12 fails inside `#pragma GCC target` at -O0 when such structs are passed by
// value.
#include <lintel/core/simd.hpp>
#include <lintel/core/simd_native.isa.hpp>

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::simd {

template <class T>
struct vec<T, LINTEL_ISA> {
  using value_type = T;
  using bits_type = typename ieee<T>::bits;
  using register_type = typename registers<T, LINTEL_ISA>::type;
  using bits_register = typename registers<T, LINTEL_ISA>::bits;
  using mask_register = decltype(register_type{} < register_type{});
  using own = native<T, LINTEL_ISA>;

  static constexpr int width = LINTEL_VECTOR_BYTES / static_cast<int>(sizeof(T));

  struct mask {
    mask_register value;

    LINTEL_INLINE explicit mask(mask_register lanes) : value(lanes) {}

    LINTEL_INLINE friend mask operator&(mask a, mask b) { return mask(a.value & b.value); }
    LINTEL_INLINE friend mask operator|(mask a, mask b) { return mask(a.value | b.value); }
    LINTEL_INLINE friend mask operator!(mask a) { return mask(~a.value); }
    LINTEL_INLINE friend bool any(mask a) { return own::sign_bits((register_type)a.value) != 0; }
    LINTEL_INLINE friend bool all(mask a) { return own::sign_bits((register_type)a.value) == (1u << width) - 1u; }
  };

  register_type value;

  LINTEL_INLINE vec() = default;
  LINTEL_INLINE vec(T number) : value(number - register_type{}) {}  // "+" would turn -0 into 0
  LINTEL_INLINE explicit vec(register_type lanes) : value(lanes) {}
  LINTEL_INLINE static vec zero() { return vec(register_type{}); }

  LINTEL_INLINE static vec load(const T* source) {
    vec result;
    __builtin_memcpy(&result.value, source, sizeof(register_type));
    return result;
  }
  LINTEL_INLINE void store(T* target) const { __builtin_memcpy(target, &value, sizeof(register_type)); }
  LINTEL_INLINE static vec load_partial(const T* source, std::int64_t count) {
    return vec(register_type(own::load_partial(source, count)));
  }
  LINTEL_INLINE void store_partial(T* target, std::int64_t count) const { own::store_partial(target, count, value); }

  /// The compiler's own vector, the same register as unsigned integers, and back from these.
  LINTEL_INLINE register_type lanes() const { return value; }
  LINTEL_INLINE bits_register bits() const { return (bits_register)value; }
  LINTEL_INLINE static vec from_bits(bits_register lanes) { return vec((register_type)lanes); }
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
  LINTEL_INLINE friend mask isnan(vec a) { return mask(a.value != a.value); }
  LINTEL_INLINE friend vec select(mask m, vec a, vec b) { return vec(m.value ? a.value : b.value); }

  LINTEL_INLINE friend vec fma(vec a, vec b, vec c) { return vec(register_type(own::fma(a.value, b.value, c.value))); }
  LINTEL_INLINE friend vec fnma(vec a, vec b, vec c) {
    return vec(register_type(own::fnma(a.value, b.value, c.value)));
  }
  LINTEL_INLINE friend vec min(vec a, vec b) { return vec(a.value < b.value ? a.value : b.value); }
  LINTEL_INLINE friend vec max(vec a, vec b) { return vec(a.value > b.value ? a.value : b.value); }
  LINTEL_INLINE friend vec sqrt(vec a) { return vec(register_type(own::sqrt(a.value))); }
  LINTEL_INLINE friend vec round(vec a) { return vec(register_type(own::round(a.value))); }
};

}  // namespace lintel::simd

#undef LINTEL_INLINE

#include <lintel/core/simd_shared.isa.hpp>
