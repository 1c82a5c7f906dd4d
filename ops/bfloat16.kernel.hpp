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

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
