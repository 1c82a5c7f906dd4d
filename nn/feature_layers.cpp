#include <cmath>

#include <lintel/autograd/tape.hpp>
#include <lintel/nn/feature_layers.hpp>
#include <lintel/nn/init.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel::nn {
namespace feature_layers_detail {

/// A linear layer for each of `heads` heads, all the same.
FeatureMapLayer shared_by_heads(const Linear& layer, std::int64_t heads, FeatureActivation activation) {
  const std::int64_t out = layer.weight.size(0), in = layer.weight.size(1);
  const Tensor bias = layer.bias.defined() ? broadcast_to(reshape(layer.bias, {1, out}), {heads, out}) : Tensor();
  return {activation, broadcast_to(reshape(layer.weight, {1, out, in}), {heads, out, in}), bias};
}

}  // namespace feature_layers_detail

ResidualFeatureLayer::ResidualFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias)
    : weight(orthogonal({heads, head_dim, head_dim}, rng)) {
  if (with_bias) bias = zeros({heads, head_dim});
}

std::vector<FeatureMapLayer> ResidualFeatureLayer::stack(const FeatureLayerUse& use) const {
  const std::int64_t size = weight.size(-1);
  return {{use.activation, weight + identity({size, size}, weight.dtype()), bias}};  // x + Wx = (W + I)x
}

MlpFeatureLayer::MlpFeatureLayer(std::int64_t head_count, std::int64_t head_dim, Rng& rng, bool bias)
    : up(head_dim, head_dim, rng, {bias}), down(head_dim, head_dim, rng, {bias}), heads(head_count) {}

std::vector<FeatureMapLayer> MlpFeatureLayer::stack(const FeatureLayerUse& use) const {
  const bool last = use.activation == FeatureActivation::softplus;
  return {feature_layers_detail::shared_by_heads(up, heads, FeatureActivation::gelu),
          feature_layers_detail::shared_by_heads(down, heads,
                                                 last ? FeatureActivation::sharp_softplus : FeatureActivation::none)};
}

FavorFeatureLayer::FavorFeatureLayer(std::int64_t heads, std::int64_t head_dim) {
  Rng fixed(200914794);
  projection64 = orthogonal({heads, head_dim, head_dim}, fixed, DType::float64);
  auto* const elements = write<double>(projection64, "FavorFeatureLayer");
  for (std::int64_t i = 0; i < projection64.size(); ++i) elements[i] *= std::sqrt(static_cast<double>(head_dim));
  projection32 = convert(projection64, DType::float32);
}

std::vector<FeatureMapLayer> FavorFeatureLayer::stack(const FeatureLayerUse& use) const {
  // |Ωy|²/(2d) is ‖y‖²/2, since Ω/√d turns and no more: what the activation needs of y is in Ωy.
  return {{use.role == FeatureRole::query ? FeatureActivation::favor_query : FeatureActivation::favor_key,
           use.dtype == DType::float64 ? projection64 : projection32}};
}

HedgehogFeatureLayer::HedgehogFeatureLayer(std::int64_t heads, std::int64_t head_dim)
    : query_weight(identity({heads, head_dim, head_dim})), key_weight(clone(query_weight)) {}

std::vector<FeatureMapLayer> HedgehogFeatureLayer::stack(const FeatureLayerUse& use) const {
  return {{FeatureActivation::softmax_pair, use.role == FeatureRole::query ? query_weight : key_weight}};
}

}  // namespace lintel::nn
