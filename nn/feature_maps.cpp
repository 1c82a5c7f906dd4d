#include <lintel/autograd/tape.hpp>
#include <lintel/nn/feature_maps.hpp>
#include <lintel/nn/init.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/reduce.hpp>

namespace lintel::nn {
namespace feature_maps_detail {

FeatureLayer make_layer(std::int64_t heads, std::int64_t head_dim, Rng& rng, const FeatureMapOptions& options) {
  if (options.kind == "linear") return LinearFeatureLayer(heads, head_dim, rng, options.bias);
  if (options.kind == "glu") return GluFeatureLayer(heads, head_dim, rng, options.bias);
  if (options.kind != "lowrank_glu") {
    fail("feature_map: unknown kind \"", options.kind, "\", one of linear, glu, lowrank_glu wanted");
  }
  return LowrankGluFeatureLayer(heads, head_dim, rng, options.bias);
}

Tensor identity_matrix(std::int64_t size, DType dtype) {
  const Tensor result = zeros({size, size}, dtype);
  with_float_type("orthogonality_penalty", dtype, [&]<class T>() {
    T* const elements = write<T>(result, "identity_matrix");
    for (std::int64_t i = 0; i < size; ++i) elements[i * size + i] = 1;
  });
  return result;
}

}  // namespace feature_maps_detail

LinearFeatureLayer::LinearFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias)
    : weight(orthogonal({heads, head_dim, head_dim}, rng)) {
  if (with_bias) bias = zeros({heads, head_dim});
}

FeatureMapLayer LinearFeatureLayer::with(FeatureActivation activation) const {
  return {activation, weight, bias, {}, {}, {}};
}

GluFeatureLayer::GluFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias)
    : weight(orthogonal({heads, head_dim, head_dim}, rng)), gate(kaiming_normal({heads, head_dim, head_dim}, rng)) {
  if (!with_bias) return;
  bias = zeros({heads, head_dim});
  gate_bias = zeros({heads, head_dim});
}

FeatureMapLayer GluFeatureLayer::with(FeatureActivation activation) const {
  return {activation, weight, bias, gate, gate_bias, {}};
}

LowrankGluFeatureLayer::LowrankGluFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias) {
  const std::int64_t rank = head_dim / 4;
  if (rank < 1) fail("feature_map: lowrank_glu has rank head_dim / 4, head_dim is ", head_dim, ", at least 4 wanted");
  weight = orthogonal({heads, head_dim, head_dim}, rng);
  if (with_bias) bias = zeros({heads, head_dim});
  down = kaiming_normal({heads, rank, head_dim}, rng);
  up = kaiming_normal({heads, head_dim, rank}, rng);
}

FeatureMapLayer LowrankGluFeatureLayer::with(FeatureActivation activation) const {
  return {activation, weight, bias, up, {}, down};
}

FeatureMap::FeatureMap(std::int64_t heads, std::int64_t head_dim, Rng& rng, const FeatureMapOptions& options)
    : dropout(options.dropout) {
  if (heads < 1 || head_dim < 1) fail("feature_map: ", heads, " heads of size ", head_dim, ", at least 1 of 1 wanted");
  if (options.layers < 1) fail("feature_map: ", options.layers, " layers, at least 1 wanted");
  for (int i = 0; i < options.layers; ++i) {
    layers.push_back(feature_maps_detail::make_layer(heads, head_dim, rng, options));
  }
}

std::vector<FeatureMapLayer> FeatureMap::stack() const {
  std::vector<FeatureMapLayer> stack;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool last = i + 1 == layers.size();
    const auto activation = last ? FeatureActivation::softplus : FeatureActivation::none;
    stack.push_back(std::visit([&](const auto& layer) { return layer.with(activation); }, layers[i]));
  }
  return stack;
}

Tensor FeatureMap::operator()(const Tensor& x, const std::optional<Training>& training) const {
  const LayerScope scope("feature_map");
  const std::vector<FeatureMapLayer> stacked = stack();
  Tensor features = x;
  for (std::size_t i = 0; i < stacked.size(); ++i) {
    features = stacked[i](dropout(features, child_of(training, i)));
  }
  return features;
}

Tensor FeatureMap::orthogonality_penalty() const {
  Tensor total;
  for (const FeatureLayer& layer : layers) {
    const Tensor weight = std::visit([](const auto& kind) { return kind.weight; }, layer);
    const Tensor identity = feature_maps_detail::identity_matrix(weight.size(-1), weight.dtype());
    const Tensor penalty = mean(square(matmul(weight, weight, {.transpose_b = true}) - identity));
    total = total.defined() ? total + penalty : penalty;
  }
  return total;
}

}  // namespace lintel::nn
