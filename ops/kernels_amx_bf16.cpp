// Matrix products of bfloat16 for AMX-BF16. What must hold for its compiler flags stands in bfloat16_unit.isa.hpp.
#define LINTEL_ISA amx_bf16
#define LINTEL_VECTOR_BYTES 64

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++ 12 warns of its own intrinsics: GCC bug 105593
#endif

#include <lintel/ops/bfloat16_unit.isa.hpp>

#include <lintel/ops/gemm_amx_bf16.kernel.hpp>

namespace lintel::kernels::LINTEL_ISA {

void fill_products(Bfloat16Products& table) {
  fill_amx_bf16(table.of_float32);
  fill_amx_bf16(table.of_bfloat16);
}

}  // namespace lintel::kernels::LINTEL_ISA

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#undef LINTEL_ISA
#undef LINTEL_VECTOR_BYTES
