#include <utility>

#include <lintel/autograd/tape.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/linear_pass.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/projections.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {
namespace projections_detail {

void check_inputs(const Tensor& x, const std::vector<Projection>& layers) {
  check_defined("projections", x, "x");
  if (x.rank() == 0) fail("projections: x is a scalar, (..., in) wanted");
  if (layers.empty()) fail("projections: there is no layer, at least one wanted");
  for (const Projection& layer : layers) {
    check_dtype("projections", layer.weight, x.dtype(), "a weight");
    if (layer.weight.rank() != 2 || layer.weight.size(1) != x.size(-1)) {
      fail("projections: x ", x.shape(), " and weight ", layer.weight.shape(),
           " do not fit, (..., in) and (out, in) wanted");
    }
    if (layer.bias.defined()) {
      check_parameter("projections", layer.bias, x.dtype(), layer.weight.size(0), "a bias");
    }
  }
}

/// Cotangents of x, and of the weight and bias of each layer. Saved are x and the weights.
std::vector<Tensor> projections_vjp(std::size_t count, const Backward& b) {
  std::vector<LinearBackward> layers;
  for (std::size_t i = 0; i < count; ++i) {
    layers.push_back({.weight = b.saved(1 + i),
                      .dy = b.cotangent(i),
                      .kept = {},
                      .wants_weight = b.wants(1 + 2 * i),
                      .wants_bias = b.wants(2 + 2 * i)});
  }
  std::vector<Tensor> result{run_linears_backward("projections", Activation::none, b.saved(0), layers, b.wants(0))};
  for (const LinearBackward& layer : layers) {
    result.push_back(layer.dweight);
    result.push_back(layer.dbias);
  }
  return result;
}

std::vector<Tensor> definition(const std::vector<Tensor>& inputs) {
  const Tensor& x = inputs[0];
  const Tensor rows = reshape(x, {leading_size(x.shape(), 1), x.size(-1)});
  std::vector<Tensor> outputs;
  for (std::size_t i = 1; i < inputs.size(); i += 2) {
    const Tensor &weight = inputs[i], &bias = inputs[i + 1];
    const Tensor product = matmul(rows, weight, {.transpose_b = true});
    outputs.push_back(reshape(bias.defined() ? product + bias : product, x.shape().with(-1, weight.size(0))));
  }
  return outputs;
}

}  // namespace projections_detail

std::vector<Tensor> projections(const Tensor& x, const std::vector<Projection>& layers) {
  using namespace projections_detail;
  check_inputs(x, layers);
  const std::int64_t rows = leading_size(x.shape(), 1);
  std::vector<LinearForward> forward;
  std::vector<Tensor> inputs{x}, outputs, saved{x};
  double flops = 0;
  for (const Projection& layer : layers) {
    const Tensor y = empty(x.shape().with(-1, layer.weight.size(0)), x.dtype());
    forward.push_back({layer.weight, layer.bias, y, y});
    inputs.insert(inputs.end(), {layer.weight, layer.bias});
    outputs.push_back(y);
    saved.push_back(layer.weight);
    flops += product_flops(rows, layer.weight.size(0), layer.weight.size(1));
  }
  run_linears("projections", Activation::none, x, forward);
  record({.name = "projections",
          .inputs = std::move(inputs),
          .outputs = outputs,
          .saved = std::move(saved),
          .vjp = [count = layers.size()](const Backward& b) { return projections_vjp(count, b); },
          .flops = flops,
          .definition = definition});
  return outputs;
}

}  // namespace lintel
