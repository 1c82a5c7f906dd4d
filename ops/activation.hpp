// The activations that fused ops apply to their result; a header of its own because kernels read it too.
#pragma once

namespace lintel {

/// What `linear` applies after the bias: the identity, max(0, u), u·Φ(u) exactly or in its tanh form, u·σ(u), tanh(u).
enum class Activation { none, relu, gelu, gelu_tanh, silu, tanh };

/// What the layers of a feature map apply after the bias: the identity, or log(1 + e^u), which is positive.
enum class FeatureActivation { none, softplus };

}  // namespace lintel
