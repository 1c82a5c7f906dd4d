#include <algorithm>
#include <utility>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/choices.hpp>
#include <lintel/nn/feature_maps.hpp>
#include <lintel/nn/init.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/reduce.hpp>

namespace lintel::nn {
namespace feature_maps_detail {

FeatureLayer make_layer(std::int64_t heads, std::int64_t head_dim, Rng& rng, const FeatureMapOptions& options) {
  const std::string& kind = options.kind;
  if (kind == "linear") return LinearFeatureLayer(heads, head_dim, rng, options.bias);
  if (kind == "glu") return GluFeatureLayer(heads, head_dim, rng, options.bias);
  if (kind == "lowrank_glu") return LowrankGluFeatureLayer(heads, head_dim, rng, options.bias);
  if (kind == "residual") return ResidualFeatureLayer(heads, head_dim, rng, options.bias);
  if (kind == "mlp") return MlpFeatureLayer(heads, head_dim, rng, options.bias);
  if (kind == "identity") return IdentityFeatureLayer{};
  if (kind == "elu") return EluFeatureLayer{};
  if (kind == "relu") return ReluFeatureLayer{};
  if (kind == "favor") return FavorFeatureLayer(heads, head_dim);
  return HedgehogFeatureLayer(heads, head_dim);
}

/// The matrices that start orthogonal; undefined for a layer without.
template <class Layer>
Tensor orthogonal_weight(const Layer& layer) {
  if constexpr (requires { layer.weight; }) {
    return layer.weight;
  } else {
    return Tensor();
  }
}

/// f of layer `i`.
FeatureActivation activation_of(std::size_t i, std::size_t layers) {
  return i + 1 == layers ? FeatureActivation::softplus : FeatureActivation::none;
}

}  // namespace feature_maps_detail

const std::vector<std::string>& feature_map_kinds() {
  static const std::vector<std::string> kinds = {"linear",   "glu", "lowrank_glu", "residual", "mlp",
                                                 "identity", "elu", "relu",        "favor",    "hedgehog"};
  return kinds;
}

bool feature_map_stacks(const std::string& kind) {
  static const std::vector<std::string> stacking = {"linear", "glu", "lowrank_glu", "residual", "mlp"};
  return std::find(stacking.begin(), stacking.end(), kind) != stacking.end();
}

LinearFeatureLayer::LinearFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias)
    : weight(orthogonal({heads, head_dim, head_dim}, rng)) {
  if (with_bias) bias = zeros({heads, head_dim});
}

std::vector<FeatureMapLayer> LinearFeatureLayer::stack(const FeatureLayerUse& use) const {
  return {{use.activation, weight, bias}};
}

GluFeatureLayer::GluFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias)
    : weight(orthogonal({heads, head_dim, head_dim}, rng)), gate(kaiming_normal({heads, head_dim, head_dim}, rng)) {
  if (!with_bias) return;
  bias = zeros({heads, head_dim});
  gate_bias = zeros({heads, head_dim});
}

std::vector<FeatureMapLayer> GluFeatureLayer::stack(const FeatureLayerUse& use) const {
  return {{use.activation, weight, bias, gate, gate_bias}};
}

LowrankGluFeatureLayer::LowrankGluFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias) {
  const std::int64_t rank = head_dim / 4;
  if (rank < 1) fail("feature_map: lowrank_glu has rank head_dim / 4, head_dim is ", head_dim, ", at least 4 wanted");
  weight = orthogonal({heads, head_dim, head_dim}, rng);
  if (with_bias) bias = zeros({heads, head_dim});
  down = kaiming_normal({heads, rank, head_dim}, rng);
  up = kaiming_normal({heads, head_dim, rank}, rng);
}

std::vector<FeatureMapLayer> LowrankGluFeatureLayer::stack(const FeatureLayerUse& use) const {
  return {{use.activation, weight, bias, up, {}, down}};
}

FeatureMap::FeatureMap(std::int64_t heads, std::int64_t head_dim, Rng& rng, const FeatureMapOptions& options)
    : dropout(options.dropout) {
  if (heads < 1 || head_dim < 1) fail("feature_map: ", heads, " heads of size ", head_dim, ", at least 1 of 1 wanted");
  check_choice("feature_map", "kind", options.kind, feature_map_kinds());
  if (options.layers < 1) fail("feature_map: ", options.layers, " layers, at least 1 wanted");
  if (options.layers > 1 && !feature_map_stacks(options.kind)) {
    fail("feature_map: ", options.kind, " is one layer, ", options.layers, " were asked for");
  }
  for (int i = 0; i < options.layers; ++i) {
    layers.push_back(feature_maps_detail::make_layer(heads, head_dim, rng, options));
  }
}

std::vector<FeatureMapLayer> FeatureMap::stack(FeatureRole role, DType dtype) const {
  std::vector<FeatureMapLayer> stack;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const FeatureLayerUse use{feature_maps_detail::activation_of(i, layers.size()), role, dtype};
    for (FeatureMapLayer& part : std::visit([&](const auto& layer) { return layer.stack(use); }, layers[i])) {
      stack.push_back(std::move(part));
    }
  }
  return stack;
}

std::vector<FeatureMapLayer> FeatureMap::key_stack(DType dtype) const {
  const bool tells_keys_from_queries = std::holds_alternative<FavorFeatureLayer>(layers.back()) ||
                                       std::holds_alternative<HedgehogFeatureLayer>(layers.back());
  return tells_keys_from_queries ? stack(FeatureRole::key, dtype) : std::vector<FeatureMapLayer>();
}

std::vector<DropoutMask> FeatureMap::masks(const std::optional<Training>& training) const {
  std::vector<DropoutMask> masks;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    masks.push_back(dropout.mask(child_of(training, i)));
    if (std::holds_alternative<MlpFeatureLayer>(layers[i])) masks.push_back({});  // of its inner layer
  }
  return masks;
}

Tensor FeatureMap::operator()(const Tensor& x, const std::optional<Training>& training, FeatureRole role) const {
  const LayerScope scope("feature_map");
  const std::vector<FeatureMapLayer> stack = this->stack(role, x.dtype());
  const std::vector<DropoutMask> masks = this->masks(training);
  Tensor features = x;
  for (std::size_t i = 0; i < stack.size(); ++i) {
    features = stack[i](lintel::dropout(features, masks[i].rate, masks[i].key));
  }
  return features;
}

std::int64_t FeatureMap::features(std::int64_t head_dim) const {
  return makes_pairs(stack().back().activation) ? 2 * head_dim : head_dim;
}

Tensor FeatureMap::orthogonality_penalty() const {
  Tensor total;
  for (const FeatureLayer& layer : layers) {
    const Tensor weight =
        std::visit([](const auto& kind) { return feature_maps_detail::orthogonal_weight(kind); }, layer);
    if (!weight.defined()) continue;
    const std::int64_t size = weight.size(-1);
    const Tensor off = matmul(weight, weight, {.transpose_b = true}) - identity({size, size}, weight.dtype());
    const Tensor penalty = mean(square(off));
    total = total.defined() ? total + penalty : penalty;
  }
  return total;
}

}  // namespace lintel::nn
