// Further layers of feature maps φ: trained ones beside those of the paper, and fixed ones that approximate or replace
// the exponential of softmax attention. x (…, heads, head_dim) → (…, heads, m).
#pragma once

#include <vector>

#include <lintel/core/random.hpp>
#include <lintel/nn/linear.hpp>
#include <lintel/ops/feature_map.hpp>

namespace lintel::nn {

/// Whose features a map computes. Most maps are one for both.
enum class FeatureRole { query, key };

/// What a layer is asked to be as one or more `FeatureMapLayer`s: `activation`, the identity or softplus, is f where
/// the layer has one, and `dtype` that of the constants of a layer that has such.
struct FeatureLayerUse {
  FeatureActivation activation = FeatureActivation::softplus;
  FeatureRole role = FeatureRole::query;
  DType dtype = DType::float32;
};

/// x + Wx + b, with a W for each head, and softplus of that in the last layer; m = head_dim. The authors have x + f(Wx)
/// in the last layer too: its features may be negative, weights then add up to almost 0, and what is divided by them
/// is lost in rounding. Source: the code to Yorsh, Kovalenko, arXiv 2211.04076.
struct ResidualFeatureLayer {
  Tensor weight;  ///< (heads, head_dim, head_dim), starts orthogonal
  Tensor bias;    ///< (heads, head_dim), starts at zero, or undefined

  ResidualFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool bias);
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse& use) const;

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

/// f(W₂ gelu(W₁x)) with matrices that all heads share; m = head_dim. In the last layer f(u) = log(1 + e^(βu))/β with
/// β = 2.5. Source: as `ResidualFeatureLayer`.
struct MlpFeatureLayer {
  Linear up, down;  ///< head_dim → head_dim, both
  std::int64_t heads;

  MlpFeatureLayer(std::int64_t heads, std::int64_t head_dim, Rng& rng, bool bias);
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse& use) const;

  static void visit(auto& self, auto&& f) {
    f("up", self.up);
    f("down", self.down);
  }
};

/// x, not trained; m = head_dim. Weights may be negative: for a normaliser that is no sum of weights.
/// Source: Yorsh et al., "SimpleTRON", arXiv 2111.15588.
struct IdentityFeatureLayer {
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse&) const { return {{FeatureActivation::none}}; }
  static void visit(auto&, auto&&) {}
};

/// elu(x) + 1, not trained; m = head_dim. Source: Katharopoulos et al., "Transformers are RNNs", arXiv 2006.16236.
struct EluFeatureLayer {
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse&) const { return {{FeatureActivation::elu_plus_one}}; }
  static void visit(auto&, auto&&) {}
};

/// max(0, x), not trained; m = head_dim. A query none of whose features is positive finds 0.
/// Source: Qin et al., "cosFormer", arXiv 2202.08791, without its weights of position.
struct ReluFeatureLayer {
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse&) const { return {{FeatureActivation::relu}}; }
  static void visit(auto&, auto&&) {}
};

/// Random positive features of the softmax kernel, not trained: with y = x/d^¼, d = head_dim, and m = 2d,
///   φ(x) = [e^(Ωy), e^(−Ωy)]·e^(−‖y‖²/2)/√m,   so that E[φ(q)·φ(k)] = e^(q·k/√d).
/// Ω (d, d) of each head has orthogonal rows of length √d, drawn from a fixed seed: it is the same in every model, so
/// that weights alone tell a model. Nothing overflows: of a query's exponents the largest is subtracted instead of
/// ‖y‖²/2, which changes all of its weights by one factor and cancels; a key's exponents are at most ‖ω‖²/2 = d/2, and
/// bounded by 60. A key much longer than √d has features near 0.
/// Source: Choromanski et al., "Rethinking attention with Performers", arXiv 2009.14794 (the hyperbolic form).
struct FavorFeatureLayer {
  Tensor projection32, projection64;  ///< Ω: (heads, d, d); constants, which no visitor sees

  FavorFeatureLayer(std::int64_t heads, std::int64_t head_dim);
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse& use) const;

  static void visit(auto&, auto&&) {}
};

/// [softmax(Wx), softmax(−Wx)] over the head's numbers, with W of queries and of keys for each head; m = 2·head_dim.
/// Source: Zhang et al., "The hedgehog & the porcupine", arXiv 2402.04347, in the form that cannot overflow.
struct HedgehogFeatureLayer {
  Tensor query_weight;  ///< (heads, head_dim, head_dim), starts as the identity
  Tensor key_weight;    ///< as `query_weight`

  HedgehogFeatureLayer(std::int64_t heads, std::int64_t head_dim);
  std::vector<FeatureMapLayer> stack(const FeatureLayerUse& use) const;

  static void visit(auto& self, auto&& f) {
    f("query_weight", self.query_weight);
    f("key_weight", self.key_weight);
  }
};

}  // namespace lintel::nn
