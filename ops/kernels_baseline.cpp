// The kernels for what the compiler assumes without flags. What must hold for its compiler flags stands in
// kernels.isa.hpp.
#define LINTEL_ISA baseline
#define LINTEL_VECTOR_BYTES 16

#include <lintel/ops/kernels.isa.hpp>

#undef LINTEL_ISA
#undef LINTEL_VECTOR_BYTES
