#include <lintel/nn/norm.hpp>
#include <lintel/ops/layer_norm.hpp>
#include <lintel/ops/rms_norm.hpp>

namespace lintel::nn {

LayerNorm::LayerNorm(std::int64_t hidden, double variance_epsilon) : epsilon(variance_epsilon) {
  if (hidden < 1) fail("layer_norm: hidden size is ", hidden, ", at least 1 wanted");
  weight = ones({hidden});
  bias = zeros({hidden});
}

Tensor LayerNorm::operator()(const Tensor& x) const { return layer_norm(x, weight, bias, epsilon); }

RMSNorm::RMSNorm(std::int64_t hidden, double square_epsilon) : epsilon(square_epsilon) {
  if (hidden < 1) fail("rms_norm: hidden size is ", hidden, ", at least 1 wanted");
  weight = ones({hidden});
}

Tensor RMSNorm::operator()(const Tensor& x) const { return rms_norm(x, weight, epsilon); }

}  // namespace lintel::nn
