#include <cmath>
#include <functional>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/nn/feature_layers.hpp>
#include <lintel/nn/init.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/softmax.hpp>

namespace lintel::nn {
namespace feature_layers_detail {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// The cotangents of f's inputs, undefined where not wanted.
std::vector<Tensor> cotangents_of(const Function& f, const std::vector<Tensor>& inputs, const Backward& b) {
  std::vector<Tensor> fresh, wanted;
  Tape tape;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    fresh.push_back(inputs[i].defined() ? fresh_identity(inputs[i]) : Tensor());
    if (!b.wants(i)) continue;
    tape.watch(fresh[i]);
    wanted.push_back(fresh[i]);
  }
  const Gradients gradients = tape.gradients(f(fresh), wanted, {.seeds = {b.cotangent()}});
  std::vector<Tensor> result(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (b.wants(i)) result[i] = gradients[fresh[i]];
  }
  return result;
}

/// The operations of products of all heads' numbers with matrices of head_dim rows and columns.
double flops_of(const Tensor& x) { return product_flops(x.size(), x.size(-1), 1); }

/// f(inputs) as one record that saves the inputs alone and computes f again in the backward pass: maps are cheap, and
/// what lies between their ops is several times as large as x. `flops` are those of its products.
Tensor recomputed(const char* name, const std::vector<Tensor>& inputs, double flops, const Function& f) {
  std::vector<Tensor> values;
  for (const Tensor& x : inputs) values.push_back(x.defined() ? stop_gradient(x) : x);
  Tensor y = f(values);
  record({.name = name,
          .inputs = inputs,
          .outputs = {y},
          .saved = inputs,
          .vjp =
              [f, count = inputs.size()](const Backward& b) {
                std::vector<Tensor> saved;
                for (std::size_t i = 0; i < count; ++i) saved.push_back(b.saved(i));
                return cotangents_of(f, saved, b);
              },
          .flops = flops});
  return y;
}

/// The exponents of random features: see `FavorFeatureLayer`.
Tensor favor_exponents(const Tensor& x, const Tensor& projection, FeatureRole role) {
  constexpr double largest_exponent = 60;
  const Tensor y = x * std::pow(static_cast<double>(x.size(-1)), -0.25);
  const Tensor u = feature_map_linear(y, projection, Tensor(), FeatureActivation::none);
  const Tensor both = concat({u, -u}, -1);
  if (role == FeatureRole::query) return x.size() == 0 ? both : both - max(both, {-1}, true);
  return minimum(both - 0.5 * sum(square(y), {-1}, true), largest_exponent);
}

}  // namespace feature_layers_detail

ResidualFeatureLayer::ResidualFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool with_bias)
    : weight(orthogonal({heads, head_dim, head_dim}, rng)) {
  if (with_bias) bias = zeros({heads, head_dim});
}

FeatureMapLayer ResidualFeatureLayer::with(FeatureActivation activation) const {
  const Tensor sum = feature_layers_detail::recomputed("add_identity", {weight}, 0, [](const auto& inputs) {
    const std::int64_t size = inputs[0].size(-1);
    return inputs[0] + identity({size, size}, inputs[0].dtype());
  });
  return {activation, sum, bias, {}, {}, {}};  // x + Wx = (W + I)x
}

MlpFeatureLayer::MlpFeatureLayer(std::int64_t head_dim, Rng& rng, bool bias)
    : up(head_dim, head_dim, rng, {bias}), down(head_dim, head_dim, rng, {bias}) {}

Tensor MlpFeatureLayer::operator()(const Tensor& x, FeatureActivation activation) const {
  auto network = [activation](const std::vector<Tensor>& inputs) {
    constexpr double beta = 2.5;
    const Tensor inner = linear(inputs[0], inputs[1], inputs[2], Activation::gelu);
    const Tensor u = linear(inner, inputs[3], inputs[4]);
    return activation == FeatureActivation::softplus ? softplus(u * beta) * (1 / beta) : u;
  };
  return feature_layers_detail::recomputed("feature_map_mlp", {x, up.weight, up.bias, down.weight, down.bias},
                                           2 * feature_layers_detail::flops_of(x), network);
}

Tensor EluFeatureLayer::operator()(const Tensor& x, FeatureActivation) const {
  return feature_layers_detail::recomputed("feature_map_elu", {x}, 0,
                                           [](const std::vector<Tensor>& inputs) { return elu(inputs[0]) + 1; });
}

Tensor ReluFeatureLayer::operator()(const Tensor& x, FeatureActivation) const { return relu(x); }

FavorFeatureLayer::FavorFeatureLayer(std::int64_t heads, std::int64_t head_dim) {
  Rng fixed(200914794);
  projection64 = orthogonal({heads, head_dim, head_dim}, fixed, DType::float64);
  auto* const elements = write<double>(projection64, "FavorFeatureLayer");
  for (std::int64_t i = 0; i < projection64.size(); ++i) elements[i] *= std::sqrt(static_cast<double>(head_dim));
  projection32 = convert(projection64, DType::float32);
}

Tensor FavorFeatureLayer::operator()(const Tensor& x, FeatureActivation, FeatureRole role) const {
  const Tensor projection = x.dtype() == DType::float64 ? projection64 : projection32;
  return feature_layers_detail::recomputed(
      "feature_map_favor", {x}, feature_layers_detail::flops_of(x), [=](const std::vector<Tensor>& inputs) {
        const double scale = 1 / std::sqrt(2 * static_cast<double>(inputs[0].size(-1)));
        return exp(feature_layers_detail::favor_exponents(inputs[0], projection, role)) * scale;
      });
}

HedgehogFeatureLayer::HedgehogFeatureLayer(std::int64_t heads, std::int64_t head_dim)
    : query_weight(identity({heads, head_dim, head_dim})), key_weight(clone(query_weight)) {}

Tensor HedgehogFeatureLayer::operator()(const Tensor& x, FeatureActivation, FeatureRole role) const {
  const Tensor& weight = role == FeatureRole::query ? query_weight : key_weight;
  return feature_layers_detail::recomputed(
      "feature_map_hedgehog", {x, weight}, feature_layers_detail::flops_of(x), [](const std::vector<Tensor>& inputs) {
        const Tensor u = feature_map_linear(inputs[0], inputs[1], Tensor(), FeatureActivation::none);
        return concat({softmax(u), softmax(-u)}, -1);
      });
}

}  // namespace lintel::nn
