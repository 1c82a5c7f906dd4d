// How core_simd_test.cpp reaches the SIMD vocabulary of each instruction set: tests/simd_probe_<set>.cpp is compiled
// with that set's flags and over the back end that the kernels use, and exports plain functions.
#pragma once

#include <cstdint>

namespace lintel::simd_probe {

/// Operations on lanes a, b, c. A mask comes out as 1 and 0; the operations on masks take a < b and b < c.
enum class Lanewise {
  broadcast,  // of c[0]
  add,
  sub,
  mul,
  div,
  negate,
  fma,
  fnma,
  min,
  max,
  abs,
  copysign,
  sqrt,
  round,
  floor,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  isnan,
  both,
  either,
  not_less,
  select,  // a < b ? a : c
  exp2_int,
  mantissa,
  exponent,
};

/// Operations that take all lanes of a, and for the last two of b, to one number.
enum class Reduction { add, max, min, any_less, all_less };

template <class T>
struct Probe {
  int width;
  void (*lanewise)(Lanewise operation, const T* a, const T* b, const T* c, T* result);
  T (*reduce)(Reduction operation, const T* a, const T* b);
  void (*load_partial)(const T* source, std::int64_t count, T* all_lanes);
  void (*store_partial)(T* target, std::int64_t count, const T* all_lanes);
};

struct Probes {
  Probe<float> float32;
  Probe<double> float64;
};

}  // namespace lintel::simd_probe

namespace lintel::kernels {
namespace baseline {
simd_probe::Probes probes();
}
namespace avx2 {
simd_probe::Probes probes();
}
namespace avx512 {
simd_probe::Probes probes();
}
namespace neon {
simd_probe::Probes probes();
}
}  // namespace lintel::kernels
