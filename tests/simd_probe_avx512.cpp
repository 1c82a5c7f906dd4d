#define LINTEL_ISA avx512
#define LINTEL_VECTOR_BYTES 64
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 warns of its own intrinsics: GCC bug 105593
#endif
#include "simd_probe.isa.hpp"
