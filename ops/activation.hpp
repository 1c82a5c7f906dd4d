// The activations that fused ops apply to their result; a header of its own because kernels read it too.
#pragma once

namespace lintel {

/// What `linear` applies after the bias: the identity, max(0, u), u·Φ(u) exactly or in its tanh form, u·σ(u), tanh(u).
enum class Activation { none, relu, gelu, gelu_tanh, silu, tanh };

/// What the layers of a feature map apply to u, the d numbers of a row behind the bias.
enum class FeatureActivation {
  none,
  softplus,        ///< log(1 + e^u), which is positive
  sharp_softplus,  ///< log(1 + e^(βu))/β, β = 2.5
  gelu,            ///< u·Φ(u)
  elu_plus_one,    ///< u + 1 for positive u, else e^u
  relu,            ///< max(0, u)
  softmax_pair,    ///< 2d features [softmax(u), softmax(−u)]
  favor_query,     ///< 2d features [e^w, e^−w]·e^−max|w|/√(2d), w = u/d^¼
  favor_key,       ///< 2d features e^min(±w − |w|²/(2d), 60)/√(2d)
};

/// β of `FeatureActivation::sharp_softplus`.
inline constexpr double sharp_softplus_beta = 2.5;
/// The largest exponent of `FeatureActivation::favor_key`.
inline constexpr double largest_favor_exponent = 60;

/// Whether an activation makes two features of each number, all of which may depend on the whole row.
constexpr bool makes_pairs(FeatureActivation f) {
  return f == FeatureActivation::softmax_pair || f == FeatureActivation::favor_query ||
         f == FeatureActivation::favor_key;
}

}  // namespace lintel
