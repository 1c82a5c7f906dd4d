// The kernels for AVX-512. What must hold for its compiler flags stands in kernels.isa.hpp.
#define LINTEL_ISA avx512
#define LINTEL_VECTOR_BYTES 64

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 warns of its own intrinsics: GCC bug 105593
#pragma GCC diagnostic ignored "-Wuninitialized"        // the same
#endif

#include <lintel/ops/kernels.isa.hpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#undef LINTEL_ISA
#undef LINTEL_VECTOR_BYTES
