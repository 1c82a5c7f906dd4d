// The kernels of the active instruction set, as plain function pointers.
//
// A kernel is a serial function over raw pointers; splitting work between threads is its caller's business.
// Pointers need the alignment of T only. Sizes count elements.
#pragma once

#include <cstdint>
#include <lintel/ops/activation.hpp>
#include <lintel/ops/gemm_block.hpp>
#include <lintel/ops/logit_row.hpp>
#include <lintel/ops/optimiser_factors.hpp>

namespace lintel {

/// Elementwise functions of one argument. Formulas, kinks and errors: ops/elementwise.kernel.hpp.
enum class Unary : int {
  neg,
  abs,
  exp,
  expm1,
  log,
  log1p,
  sqrt,
  rsqrt,
  square,
  pow,
  tanh,
  erf,
  sigmoid,
  softplus,
  relu,
  gelu,
  gelu_tanh,
  silu,
  elu
};
inline constexpr int unary_count = static_cast<int>(Unary::elu) + 1;

/// Elementwise functions of two arguments.
enum class Binary : int { add, sub, mul, div, maximum, minimum };
inline constexpr int binary_count = static_cast<int>(Binary::minimum) + 1;

/// One pointer per kernel, T = float or double. `ops/kernels.isa.hpp` fills it, once per instruction set.
template <class T>
struct Kernels {
  struct UnaryKernels {
    const char* name;
    /// y[i] = f(x[i]); y may be x. `parameter` is the exponent of pow and the alpha of elu; others ignore it.
    void (*forward)(const T* x, T* y, std::int64_t count, T parameter);
    /// dx[i] = g[i] * f'(x[i]), given x or y = f(x): exp, expm1, sqrt, rsqrt, tanh and sigmoid use y, neg neither, the
    /// others x. The one that is not used may be any `count` readable elements. dx may be g, x or y.
    void (*vjp)(const T* g, const T* x, const T* y, T* dx, std::int64_t count, T parameter);
  };

  /// A step is 1 for an operand of `count` elements, 0 for a single element that meets them all; not both are 0.
  struct BinaryKernels {
    const char* name;
    /// y[i] = f(a[i * a_step], b[i * b_step]); y may be an operand whose step is 1.
    void (*forward)(const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, T* y, std::int64_t count);
    /// da[i * a_step] += g[i] * df/da, db[i * b_step] += g[i] * df/db: the targets are added to, so a broadcast operand
    /// may be passed row after row. A null target is not computed. Targets overlap nothing.
    void (*vjp)(const T* g, const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, T* da, T* db,
                std::int64_t count);
  };

  UnaryKernels unary[unary_count];
  BinaryKernels binary[binary_count];

  const UnaryKernels& operator[](Unary op) const { return unary[static_cast<int>(op)]; }
  const BinaryKernels& operator[](Binary op) const { return binary[static_cast<int>(op)]; }

  /// y[i] = condition[i * condition_step] ? a[i * a_step] : b[i * b_step]; steps are 0 or 1.
  void (*where)(const bool* condition, std::int64_t condition_step, const T* a, std::int64_t a_step, const T* b,
                std::int64_t b_step, T* y, std::int64_t count);
  /// target[i] += source[i].
  void (*add_into)(const T* source, T* target, std::int64_t count);
  /// target[i] = factor * source[i]; target may be source.
  void (*scale)(T factor, const T* source, T* target, std::int64_t count);
  /// target[i] += factor * source[i].
  void (*axpy)(T factor, const T* source, T* target, std::int64_t count);
  /// The sum, in an order that depends on `count` only; 0 when empty.
  T (*sum)(const T* source, std::int64_t count);
  /// The largest element, NaN when there is one among them, -infinity when empty.
  T (*max)(const T* source, std::int64_t count);

  GemmKernels<GemmTypes<T>> gemm;

  // Fused ops; what each computes stands beside its definition, in ops/<op>.kernel.hpp and ops/rows.kernel.hpp.

  void (*add_column_sums)(const T* x, std::int64_t stride, T* sums, std::int64_t rows, std::int64_t columns);
  void (*add_weighted_column_sums)(const T* x, std::int64_t stride, const T* weights, T* sums, std::int64_t rows,
                                   std::int64_t columns);
  void (*row_dots)(const T* x, std::int64_t x_stride, const T* y, std::int64_t y_stride, T start, T* dots,
                   std::int64_t rows, std::int64_t columns);
  void (*divide_rows)(const T* x, std::int64_t x_stride, const T* divisors, T* y, std::int64_t y_stride,
                      std::int64_t rows, std::int64_t columns);
  void (*add_outer)(const T* a, const T* b, T* x, std::int64_t stride, std::int64_t rows, std::int64_t columns);

  void (*layer_norm_forward)(const T* x, const T* weight, const T* bias, T* y, T* mean, T* inverse, std::int64_t rows,
                             std::int64_t columns, T epsilon);
  void (*layer_norm_backward)(const T* g, const T* x, const T* weight, const T* mean, const T* inverse, T* dx,
                              T* dweight, T* dbias, std::int64_t rows, std::int64_t columns);
  void (*rms_norm_forward)(const T* x, const T* weight, T* y, T* inverse, std::int64_t rows, std::int64_t columns,
                           T epsilon);
  void (*rms_norm_backward)(const T* g, const T* x, const T* weight, const T* inverse, T* dx, T* dweight,
                            std::int64_t rows, std::int64_t columns);

  void (*softmax_forward)(const T* x, T* y, std::int64_t rows, std::int64_t columns);
  void (*softmax_backward)(const T* g, const T* y, T* dx, std::int64_t rows, std::int64_t columns);
  void (*log_softmax_forward)(const T* x, T* y, std::int64_t rows, std::int64_t columns);
  void (*log_softmax_backward)(const T* g, const T* y, T* dx, std::int64_t rows, std::int64_t columns);
  double (*cross_entropy_forward)(const T* logits, const std::int64_t* labels, T* maximum, T* inverse_sum,
                                  std::int64_t rows, std::int64_t classes, std::int64_t ignore_index, T smoothing);
  void (*cross_entropy_read)(const T* logits, const std::int64_t* labels, LogitRow<T>* read, std::int64_t rows,
                             ClassBlock classes);
  double (*cross_entropy_finish)(const LogitRow<T>* read, const std::int64_t* labels, T* maximum, T* inverse_sum,
                                 std::int64_t rows, std::int64_t classes, std::int64_t ignore_index, T smoothing);
  void (*cross_entropy_backward)(const T* logits, const std::int64_t* labels, const T* maximum, const T* inverse_sum,
                                 T factor, T* dlogits, std::int64_t rows, ClassBlock classes, std::int64_t ignore_index,
                                 T smoothing);

  T (*squared_distance)(const T* a, const T* b, std::int64_t count);
  void (*scaled_difference)(const T* a, const T* b, T factor, T* target, std::int64_t count);
  void (*dropout)(const T* x, T* y, std::int64_t first, std::int64_t count, std::uint64_t key, std::uint32_t threshold,
                  T scale);
  void (*dropout_rows)(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride, std::int64_t first,
                       std::int64_t apart, std::int64_t rows, std::int64_t columns, std::uint64_t key,
                       std::uint32_t threshold, T scale);

  void (*sgd_update)(const T* g, T* w, T* b, std::int64_t count, const SgdFactors<T>& by);
  void (*adamw_update)(const T* g, T* w, T* m, T* v, std::int64_t count, const AdamWFactors<T>& by);
  double (*sum_of_squares)(const T* x, std::int64_t count);

  void (*activation_and_slope)(Activation f, const T* g, const T* u, T* du, T* y, std::int64_t count);
  void (*feature_map_forward)(FeatureActivation f, const T* u, std::int64_t u_stride, const T* t, std::int64_t t_stride,
                              T* y, std::int64_t y_stride, std::int64_t rows, std::int64_t columns);
  void (*feature_map_trace)(FeatureActivation f, T* u, std::int64_t u_stride, T* t, std::int64_t t_stride, T* y,
                            std::int64_t y_stride, std::int64_t rows, std::int64_t columns);
  void (*feature_map_backward)(FeatureActivation f, const T* g, std::int64_t g_stride, const T* y,
                               std::int64_t y_stride, T* u, std::int64_t u_stride, T* t, std::int64_t t_stride,
                               std::int64_t rows, std::int64_t columns);
  void (*keep_past)(T* scores, T* sums, std::int64_t size);
  void (*keep_past_backward)(T* dscores, const T* dsums, std::int64_t size);
  void (*score_weights_forward)(T* scores, T* maximum, T* sum, T* o, std::int64_t o_stride, std::int64_t values,
                                std::int64_t rows, std::int64_t columns, std::int64_t first_visible,
                                std::int64_t growth);
  void (*score_weights_backward)(T* scores, T* dweights, const T* maximum, const T* sum, const T* mean,
                                 std::int64_t rows, std::int64_t columns, std::int64_t first_visible,
                                 std::int64_t growth);
  void (*attention_state_step)(const T* phi_q, const T* phi_k, const T* v, T* matrix, T* vector, T* o,
                               std::int64_t features, std::int64_t head_dim, T epsilon, T divisor);

  void (*weigh_rows)(const T* x, std::int64_t step, const T* weight, T* y, std::int64_t taps, std::int64_t columns);
  void (*add_products)(const T* a, const T* b, T* y, std::int64_t count);
};

/// The table of the active instruction set (see core/isa.hpp), T = float or double.
template <class T>
const Kernels<T>& active_kernels();
template <>
const Kernels<float>& active_kernels<float>();
template <>
const Kernels<double>& active_kernels<double>();

/// The products of the active unit (see core/bfloat16_unit.hpp).
const Bfloat16Products& active_bfloat16_products();

}  // namespace lintel
