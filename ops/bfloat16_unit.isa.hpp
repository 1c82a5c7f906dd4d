// The kernels that bfloat16 products share between the units of core/bfloat16_unit.hpp: no include guard. Included by
// kernels_<unit>.cpp, which defines LINTEL_ISA and LINTEL_VECTOR_BYTES and is compiled for AVX-512 and that unit.
#include <lintel/ops/kernel_table.hpp>

#include <lintel/core/simd_vec.isa.hpp>

namespace lintel::kernels::LINTEL_ISA {
template <class T>
using vec = simd::vec<T, simd::LINTEL_ISA>;
}

#include <lintel/ops/bfloat16.kernel.hpp>

#include <lintel/ops/gemm.kernel.hpp>

#include <lintel/ops/gemm_pairs.kernel.hpp>
