#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/ops/activation_kernels.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/linear_pass.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {
namespace linear_detail {

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

/// Cotangents of x, weight and bias. Saved are x, the weight, and what f' follows from.
std::vector<Tensor> linear_vjp(Activation activation, const Backward& b) {
  std::vector<LinearBackward> layers{{.weight = b.saved(1),
                                      .dy = b.cotangent(),
                                      .kept = activation == Activation::none ? Tensor() : b.saved(2),
                                      .wants_weight = b.wants(1),
                                      .wants_bias = b.wants(2)}};
  const Tensor dx = run_linears_backward("linear", activation, b.saved(0), layers, b.wants(0));
  return {dx, layers[0].dweight, layers[0].dbias};
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
  run_linears("linear", activation, x, {{weight, bias, u, y}});
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
