#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/activation_kernels.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {
namespace linear_detail {

constexpr std::int64_t block = 1 << 13;  // elements of one task of an activation

struct Sizes {
  std::int64_t rows, in, out;
};

Sizes sizes_of(const Tensor& x, const Tensor& weight) {
  return {leading_size(x.shape(), 1), weight.size(1), weight.size(0)};
}

void check_inputs(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_same_dtype("linear", x, weight);
  if (x.rank() == 0 || weight.rank() != 2 || weight.size(1) != x.size(-1)) {
    fail("linear: x ", x.shape(), " and weight ", weight.shape(), " do not fit, (..., in) and (out, in) wanted");
  }
  if (bias.defined()) check_parameter("linear", bias, x.dtype(), weight.size(0), "bias");
}

/// du = g·f'(u), from u or f(u) as kept.
template <class T>
Tensor activate_backward(Activation activation, const Tensor& g, const Tensor& kept) {
  Tensor du = empty(g.shape(), g.dtype());
  const T *upstream = g.data<T>(), *k = kept.data<T>();
  T* result = write<T>(du, "linear");
  parallel_blocks(g.size(), block, slope_cost, [&](std::int64_t begin, std::int64_t end) {
    lintel::activate_backward(activation, upstream + begin, k + begin, result + begin, end - begin);
  });
  return du;
}

/// The sum over the rows.
template <class T>
Tensor dbias_of(const Tensor& du, const Sizes& sizes) {
  const T* rows = du.data<T>();
  const std::int64_t out = sizes.out;
  return sum_of_row_blocks<T>("linear", sizes.rows, out, static_cast<double>(out),
                              [&](std::int64_t begin, std::int64_t end, T* sums) {
                                active_kernels<T>().add_column_sums(rows + begin * out, out, sums, end - begin, out);
                              });
}

/// Cotangents of x, weight and bias: du W, duᵀ x and Σ du. Saved are x, the weight, and what f' follows from.
std::vector<Tensor> linear_vjp(Activation activation, const Backward& b) {
  const Tensor &x = b.saved(0), &weight = b.saved(1);
  const Sizes sizes = sizes_of(x, weight);
  std::vector<Tensor> result(3);
  with_float_type("linear", x.dtype(), [&]<class T>() {
    const Tensor du =
        activation == Activation::none ? b.cotangent() : activate_backward<T>(activation, b.cotangent(), b.saved(2));
    const Block<const T> upstream{du.data<T>(), sizes.out};
    if (b.wants(0)) {
      result[0] = empty(x.shape(), x.dtype());
      multiply<T>(sizes.rows, sizes.in, sizes.out, upstream, {weight.data<T>(), sizes.in},
                  {write<T>(result[0], "linear"), sizes.in});
    }
    if (b.wants(1)) {
      result[1] = empty(weight.shape(), weight.dtype());
      multiply_transposed_a<T>(sizes.out, sizes.in, sizes.rows, upstream, {x.data<T>(), sizes.in},
                               {write<T>(result[1], "linear"), sizes.in});
    }
    if (b.wants(2)) result[2] = dbias_of<T>(du, sizes);
  });
  return result;
}

Tensor apply_activation(const Tensor& u, Activation activation) {
  switch (activation) {
    case Activation::none:
      return u;
    case Activation::relu:
      return relu(u);
    case Activation::gelu:
      return gelu(u);
    case Activation::gelu_tanh:
      return gelu(u, GeluForm::tanh);
    case Activation::silu:
      return silu(u);
    case Activation::tanh:
      break;
  }
  return tanh(u);
}

Tensor definition(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
  const Sizes sizes = sizes_of(x, weight);
  const Tensor product = matmul(reshape(x, {sizes.rows, sizes.in}), weight, {.transpose_b = true});
  const Tensor y = apply_activation(bias.defined() ? product + bias : product, activation);
  return reshape(y, x.shape().with(-1, sizes.out));
}

}  // namespace linear_detail

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
  using namespace linear_detail;
  check_inputs(x, weight, bias);
  const Sizes sizes = sizes_of(x, weight);
  Tensor y = empty(x.shape().with(-1, sizes.out), x.dtype());
  const bool keeps_u =
      activation != Activation::none && !slope_follows_from_value(activation) && is_recording({x, weight, bias});
  const Tensor u = keeps_u ? empty(y.shape(), y.dtype()) : y;
  with_float_type("linear", x.dtype(), [&]<class T>() {
    T *before = write<T>(u, "linear"), *after = write<T>(y, "linear");
    apply_weight<T>(sizes.rows, sizes.out, sizes.in, {x.data<T>(), sizes.in}, {weight.data<T>(), sizes.in},
                    bias.defined() ? bias.data<T>() : nullptr, {before, sizes.out});
    if (activation == Activation::none) return;
    parallel_blocks(y.size(), block, activation_cost, [&](std::int64_t begin, std::int64_t end) {
      activate(activation, before + begin, after + begin, end - begin);
    });
  });
  std::vector<Tensor> saved{x, weight};
  if (activation != Activation::none) saved.push_back(u);
  record({.name = "linear",
          .inputs = {x, weight, bias},
          .outputs = {y},
          .saved = std::move(saved),
          .vjp = [activation](const Backward& b) { return linear_vjp(activation, b); },
          .flops = product_flops(sizes.rows, sizes.out, sizes.in),
          .definition =
              [activation](const std::vector<Tensor>& inputs) {
                return std::vector{definition(inputs[0], inputs[1], inputs[2], activation)};
              }});
  return y;
}

}  // namespace lintel
