#define LINTEL_ISA baseline
#define LINTEL_VECTOR_BYTES 16
#include "simd_probe.isa.hpp"
