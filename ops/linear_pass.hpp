// Linear layers that read the same x, forward and backward, in one pass over its rows: for the ops that are made of
// them.
#pragma once

#include <vector>

#include <lintel/core/tensor.hpp>
#include <lintel/ops/activation.hpp>

namespace lintel {

/// One layer: y = f(u), u = x weightᵀ + bias. weight (out, in), bias (out) or undefined, u and y (rows…, out).
struct LinearForward {
  Tensor weight, bias;
  Tensor u, y;  ///< may be one tensor
};

/// Fills u and y of all layers. A block of rows of u is still in the caches when f reads it.
void run_linears(const char* op, Activation activation, const Tensor& x, const std::vector<LinearForward>& layers);

/// The same layer backward.
struct LinearBackward {
  Tensor weight;
  Tensor dy;
  Tensor kept;  ///< what f' follows from: u, or y (see `slope_follows_from_value`); undefined where f is none
  bool wants_weight, wants_bias;
  Tensor dweight = {}, dbias = {};  ///< filled where wanted
};

/// Fills the gradients of the layers' parameters, and returns that of x, the sum over the layers, where it is wanted.
Tensor run_linears_backward(const char* op, Activation activation, const Tensor& x, std::vector<LinearBackward>& layers,
                            bool wants_x);

}  // namespace lintel
