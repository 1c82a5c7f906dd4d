#define LINTEL_ISA avx2
#define LINTEL_VECTOR_BYTES 32
#include "simd_probe.isa.hpp"
