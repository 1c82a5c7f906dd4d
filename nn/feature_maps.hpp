// The feature maps φ of kernel attention: small feedforward networks, one per head, and what stands beside them.
// Source: Yorsh, Kovalenko, "Linear self-attention approximation via trainable feedforward kernel", arXiv 2211.04076.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <lintel/core/random.hpp>
#include <lintel/nn/dropout.hpp>
#include <lintel/nn/feature_layers.hpp>
#include <lintel/ops/feature_map.hpp>

namespace lintel::nn {

/// f(Wx + b), with a W for each head.
struct LinearFeatureLayer {
  Tensor weight;  ///< (heads, head_dim, head_dim), starts orthogonal
  Tensor bias;    ///< (heads, head_dim), starts at zero, or undefined

  LinearFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool bias);
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse& use) const;

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

/// f(Wx + b) ⊙ σ(Gx + c): the gate makes a stack of layers more than one matrix.
struct GluFeatureLayer {
  Tensor weight;     ///< (heads, head_dim, head_dim), starts orthogonal
  Tensor bias;       ///< (heads, head_dim), starts at zero, or undefined
  Tensor gate;       ///< (heads, head_dim, head_dim), starts `kaiming_normal`
  Tensor gate_bias;  ///< as `bias`

  GluFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool bias);
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse& use) const;

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
    f("gate", self.gate);
    f("gate_bias", self.gate_bias);
  }
};

/// f(Wx + b) ⊙ σ(B(Ax)): a gate of rank r = head_dim / 4.
struct LowrankGluFeatureLayer {
  Tensor weight;  ///< W: (heads, head_dim, head_dim), starts orthogonal
  Tensor bias;    ///< b: (heads, head_dim), starts at zero, or undefined
  Tensor down;    ///< A: (heads, r, head_dim), starts `kaiming_normal`
  Tensor up;      ///< B: (heads, head_dim, r), starts `kaiming_normal`

  LowrankGluFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool bias);
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse& use) const;

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
    f("down", self.down);
    f("up", self.up);
  }
};

using FeatureLayer =
    std::variant<LinearFeatureLayer, GluFeatureLayer, LowrankGluFeatureLayer, ResidualFeatureLayer, MlpFeatureLayer,
                 IdentityFeatureLayer, EluFeatureLayer, ReluFeatureLayer, FavorFeatureLayer, HedgehogFeatureLayer>;

struct FeatureMapOptions {
  std::string kind = "glu";  ///< one of `feature_map_kinds`
  int layers = 1;            ///< more than one where `feature_map_stacks`
  bool bias = false;         ///< has no meaning for the maps without layers that stack
  double dropout = 0;        ///< on the input of every layer
};

/// The names of all maps: linear, glu, lowrank_glu, residual, mlp, identity, elu, relu, favor,
/// hedgehog.
const std::vector<std::string>& feature_map_kinds();

/// Whether a map of this kind may have several layers: the trained ones but "hedgehog".
bool feature_map_stacks(const std::string& kind);

/// A stack of layers of one kind. f is the identity in the inner ones and softplus in the last, so that features are
/// positive.
struct FeatureMap {
  std::vector<FeatureLayer> layers;
  Dropout dropout;

  /// Throws `Error` for an unknown kind (the choices are listed), sizes or layers below 1, a head_dim below 4 for
  /// "lowrank_glu", or several layers of a kind that is one.
  FeatureMap(std::int64_t heads, std::int64_t head_dim, Rng& rng, const FeatureMapOptions& options = {});

  /// The layers without their dropout, for `kernel_attention` to apply block by block, with `masks`: of x of `dtype`.
  std::vector<FeatureMapLayer> stack(FeatureRole role = FeatureRole::query, DType dtype = DType::float32) const;

  /// The layers of keys where they are not those of queries, for "favor" and "hedgehog"; else none.
  std::vector<FeatureMapLayer> key_stack(DType dtype = DType::float32) const;

  /// What the call below drops of the input of each layer of `stack`; rates of 0 outside of training.
  std::vector<DropoutMask> masks(const std::optional<Training>& training) const;

  /// x (…, heads, head_dim), → features (…, heads, features(head_dim)).
  Tensor operator()(const Tensor& x, const std::optional<Training>& training = std::nullopt,
                    FeatureRole role = FeatureRole::query) const;

  /// The number of features that become of head_dim numbers.
  std::int64_t features(std::int64_t head_dim) const;

  /// Σ over layers of mean((W Wᵀ − I)²), a scalar to be scaled and added to the loss; undefined for a map without
  /// orthogonal matrices.
  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) { f("layers", self.layers); }
};

}  // namespace lintel::nn
