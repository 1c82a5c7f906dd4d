// Several linear layers that read the same input, such as those to queries, keys and values.
#pragma once

#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel {

/// A linear layer: weight (out, in), and bias (out) or `Tensor()` for none.
struct Projection {
  Tensor weight;
  Tensor bias;
};

/// x weightᵀ + bias for each of the layers, which need not be of one size: x (…, in) → (…, out) each. float32 or
/// float64, one type for all. The same as `linear` for each, but a block of rows of x is read once for all, and its
/// cotangent is written once, not once per layer and then added up. Saves x and the weights. Throws `Error` for a
/// scalar x, when sizes or types do not fit, or when there is no layer.
std::vector<Tensor> projections(const Tensor& x, const std::vector<Projection>& layers);

}  // namespace lintel
