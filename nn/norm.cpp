#include <lintel/core/choices.hpp>
#include <lintel/nn/norm.hpp>
#include <lintel/ops/layer_norm.hpp>
#include <lintel/ops/rms_norm.hpp>

namespace lintel::nn {
namespace norm_detail {

std::variant<LayerNorm, RMSNorm> make_norm(std::int64_t hidden, const NormOptions& options) {
  check_choice("norm", "kind", options.kind, {"layer", "rms"});
  if (options.kind == "rms") return RMSNorm(hidden, options.epsilon);
  return LayerNorm(hidden, options.epsilon);
}

}  // namespace norm_detail

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

Norm::Norm(std::int64_t hidden, const NormOptions& options) : kind(norm_detail::make_norm(hidden, options)) {}

Tensor Norm::operator()(const Tensor& x) const {
  return std::visit([&](const auto& norm) { return norm(x); }, kind);
}

}  // namespace lintel::nn
