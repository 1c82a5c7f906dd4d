// Registers of float32 numbers from and to bfloat16, once per instruction set: no include guard, see kernels.isa.hpp.

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::kernels::LINTEL_ISA {

typedef std::uint16_t bfloat16_register __attribute__((vector_size(LINTEL_VECTOR_BYTES / 2)));

/// The nearest numbers that bfloat16 has, ties to even. NaN stays NaN.
LINTEL_INLINE vec<float> round_to_bfloat16(vec<float> x) {
  using V = vec<float>;
  const auto bits = x.bits();
  const auto upper = V::all_bits(0xffff0000u);
  const auto nearest = (bits + V::all_bits(0x7fffu) + ((bits >> 16) & V::all_bits(1))) & upper;
  // The payload of a NaN may sit in the lower half.
  const auto nan = (bits | V::all_bits(0x00400000u)) & upper;
  return select(isnan(x), V::from_bits(nan), V::from_bits(nearest));
}

/// The next register of bfloat16 numbers; zeros behind the first `lanes`.
LINTEL_INLINE vec<float> load_bfloat16(const bfloat16* source, std::int64_t lanes) {
  using V = vec<float>;
  bfloat16_register narrow{};
  if (lanes >= V::width) {
    __builtin_memcpy(&narrow, &source->bits, sizeof narrow);
  } else {
    for (int i = 0; i < V::width; ++i) {
      if (i < lanes) narrow[i] = source[i].bits;
    }
  }
  return V::from_bits(__builtin_convertvector(narrow, typename V::bits_register) << 16);
}

/// target[i] = source[i].
inline void widen_bfloat16(const bfloat16* source, float* target, std::int64_t count) {
  using V = vec<float>;
  std::int64_t i = 0;
  for (; i + V::width <= count; i += V::width) load_bfloat16(source + i, V::width).store(target + i);
  load_bfloat16(source + i, count - i).store_partial(target + i, count - i);
}

/// target[i] = source[i], rounded as by `round_to_bfloat16`.
inline void narrow_to_bfloat16(const float* source, bfloat16* target, std::int64_t count) {
  using V = vec<float>;
  for (std::int64_t i = 0; i < count; i += V::width) {
    const std::int64_t lanes = count - i < V::width ? count - i : V::width;
    const auto bits = round_to_bfloat16(V::load_partial(source + i, lanes)).bits() >> 16;
    const bfloat16_register narrow = __builtin_convertvector(bits, bfloat16_register);
    __builtin_memcpy(&target[i].bits, &narrow, static_cast<unsigned long>(lanes) * sizeof(bfloat16));
  }
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
