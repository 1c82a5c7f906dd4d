// The kernels for AVX2 and FMA. What must hold for its compiler flags stands in kernels.isa.hpp.
#define LINTEL_ISA avx2
#define LINTEL_VECTOR_BYTES 32

#include <lintel/ops/kernels.isa.hpp>

#undef LINTEL_ISA
#undef LINTEL_VECTOR_BYTES
