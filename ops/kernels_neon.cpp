// The kernels for Advanced SIMD. What must hold for its compiler flags stands in kernels.isa.hpp.
#define LINTEL_ISA neon
#define LINTEL_VECTOR_BYTES 16

#include <lintel/ops/kernels.isa.hpp>

#undef LINTEL_ISA
#undef LINTEL_VECTOR_BYTES
