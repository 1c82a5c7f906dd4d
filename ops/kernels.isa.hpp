// Every kernel, for the instruction set LINTEL_ISA: no include guard. Included by kernels_<set>.cpp, which defines
// LINTEL_ISA and LINTEL_VECTOR_BYTES (see core/simd.hpp) and is compiled for that set.
// A new kernel is one include and one line in `fill`.
#include <lintel/ops/kernel_table.hpp>

#if defined(LINTEL_HAVE_XSIMD) && !defined(LINTEL_SPINE)
#include <lintel/core/simd_xsimd.isa.hpp>
#else
#include <lintel/core/simd_vec.isa.hpp>
#endif

namespace lintel::kernels::LINTEL_ISA {
template <class T>
using vec = simd::vec<T, simd::LINTEL_ISA>;
}

// Every later file builds on these, in this order.
#include <lintel/core/simd_math.isa.hpp>
#include <lintel/ops/vector_loop.kernel.hpp>

#include <lintel/ops/elementwise.kernel.hpp>

#include <lintel/ops/bfloat16.kernel.hpp>

// And feature_map on these two.
#include <lintel/ops/activation.kernel.hpp>
#include <lintel/ops/softmax.kernel.hpp>

#include <lintel/ops/attention_state.kernel.hpp>
#include <lintel/ops/cross_entropy.kernel.hpp>
#include <lintel/ops/dropout.kernel.hpp>
#include <lintel/ops/feature_map.kernel.hpp>
#include <lintel/ops/gemm.kernel.hpp>
#include <lintel/ops/kernel_attention.kernel.hpp>
#include <lintel/ops/layer_norm.kernel.hpp>
#include <lintel/ops/mse.kernel.hpp>
#include <lintel/ops/optimiser.kernel.hpp>
#include <lintel/ops/rms_norm.kernel.hpp>
#include <lintel/ops/rows.kernel.hpp>
#include <lintel/ops/short_convolution.kernel.hpp>
#include <lintel/ops/softmax_attention.kernel.hpp>

namespace lintel::kernels::LINTEL_ISA {

/// The kernels of the fused ops.
template <class T>
void fill_fused(Kernels<T>& table) {
  table.add_column_sums = add_column_sums<T>;
  table.add_weighted_column_sums = add_weighted_column_sums<T>;
  table.row_dots = row_dots<T>;
  table.divide_rows = divide_rows<T>;
  table.add_outer = add_outer<T>;
  table.layer_norm_forward = layer_norm_forward<T>;
  table.layer_norm_backward = layer_norm_backward<T>;
  table.rms_norm_forward = rms_norm_forward<T>;
  table.rms_norm_backward = rms_norm_backward<T>;
  table.softmax_forward = softmax_forward<T>;
  table.softmax_backward = softmax_backward<T>;
  table.log_softmax_forward = log_softmax_forward<T>;
  table.log_softmax_backward = log_softmax_backward<T>;
  table.cross_entropy_forward = cross_entropy_forward<T>;
  table.cross_entropy_read = cross_entropy_read<T>;
  table.cross_entropy_finish = cross_entropy_finish<T>;
  table.cross_entropy_backward = cross_entropy_backward<T>;
  table.squared_distance = squared_distance<T>;
  table.scaled_difference = scaled_difference<T>;
  table.dropout = dropout<T>;
  table.dropout_rows = dropout_rows<T>;
  table.sgd_update = sgd_update<T>;
  table.adamw_update = adamw_update<T>;
  table.sum_of_squares = sum_of_squares<T>;
  table.activation_and_slope = activation_and_slope<T>;
  table.feature_map_forward = feature_map_forward<T>;
  table.feature_map_trace = feature_map_trace<T>;
  table.feature_map_backward = feature_map_backward<T>;
  table.keep_past = keep_past<T>;
  table.keep_past_backward = keep_past_backward<T>;
  table.score_weights_forward = score_weights_forward<T>;
  table.score_weights_backward = score_weights_backward<T>;
  table.attention_state_step = attention_state_step<T>;
  table.weigh_rows = weigh_rows<T>;
  table.add_products = add_products<T>;
}

template <class T>
void fill(Kernels<T>& table) {
  fill_gemm(table.gemm);
  fill_fused(table);
  fill_elementwise(table);
}

void fill_tables(Kernels<float>& table32, Kernels<double>& table64, Bfloat16Products& table16) {
  fill(table32);
  fill(table64);
  fill_gemm(table16.of_float32);
  fill_gemm(table16.of_bfloat16);
}

}  // namespace lintel::kernels::LINTEL_ISA
