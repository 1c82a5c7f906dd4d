// The trained feature maps φ of kernel attention: small feedforward networks, one per head.
// Source: Yorsh, Kovalenko, "Linear self-attention approximation via trainable feedforward kernel", arXiv 2211.04076.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <lintel/core/random.hpp>
#include <lintel/nn/dropout.hpp>
#include <lintel/ops/feature_map.hpp>

namespace lintel::nn {

/// f(Wx + b), with a W for each head.
struct LinearFeatureLayer {
  Tensor weight;  ///< (heads, head_dim, head_dim), starts orthogonal
  Tensor bias;    ///< (heads, head_dim), starts at zero, or undefined

  LinearFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool bias);
  FeatureMapLayer with(FeatureActivation activation) const;

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
  FeatureMapLayer with(FeatureActivation activation) const;

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
  FeatureMapLayer with(FeatureActivation activation) const;

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
    f("down", self.down);
    f("up", self.up);
  }
};

using FeatureLayer = std::variant<LinearFeatureLayer, GluFeatureLayer, LowrankGluFeatureLayer>;

struct FeatureMapOptions {
  std::string kind = "glu";  ///< "linear", "glu" or "lowrank_glu"
  int layers = 1;
  bool bias = false;
  double dropout = 0;  ///< on the input of every layer
};

/// A stack of layers. f is the identity in the inner ones and softplus in the last, so that features are positive.
struct FeatureMap {
  std::vector<FeatureLayer> layers;
  Dropout dropout;

  /// Throws `Error` for an unknown kind (the choices are listed), sizes or layers below 1, or a head_dim below 4 for
  /// "lowrank_glu".
  FeatureMap(std::int64_t heads, std::int64_t head_dim, Rng& rng, const FeatureMapOptions& options = {});

  /// The layers without their dropout, for `kernel_attention` to apply block by block.
  std::vector<FeatureMapLayer> stack() const;

  /// x (…, heads, head_dim), queries or keys → features of the same shape.
  Tensor operator()(const Tensor& x, const std::optional<Training>& training = std::nullopt) const;

  /// Σ over layers of mean((W Wᵀ − I)²), a scalar to be scaled and added to the loss.
  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) { f("layers", self.layers); }
};

}  // namespace lintel::nn
