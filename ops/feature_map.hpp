// The layers of a feature map φ: a small network for each head, applied to its queries and keys.
//
// x (…, H, in) has a row for each token and head; every head has weights of its own; the result is (…, H, out). Heads
// are read and written in place, with rows H·in and H·out apart. float32 or float64, one type for all. f is one of
// `FeatureActivation`, those that make pairs double `out` and have no gate; σ is the logistic function, ⊙ goes element
// by element. Only x and the parameters are saved: pre-activations are computed again in the backward pass, block by
// block. Every function throws `Error` for other shapes or types. A bias may be absent: `Tensor()`. Source: Yorsh,
// Kovalenko, "Linear self-attention approximation via trainable feedforward kernel", arXiv 2211.04076.
#pragma once

#include <vector>

#include <lintel/core/tensor.hpp>
#include <lintel/ops/activation.hpp>
#include <lintel/ops/dropout.hpp>

namespace lintel {

/// A layer of a feature map as a value, for ops that apply it themselves: f(W x + b), times σ(G x + c) where there is
/// a gate G, or σ(B (A x)) where `gate` is B and `down` is A; f(x) without any. Absent tensors are undefined; shapes as
/// below.
struct FeatureMapLayer {
  FeatureActivation activation = FeatureActivation::none;
  Tensor weight = {}, bias = {}, gate = {}, gate_bias = {}, down = {};

  /// The layer applied to x, by one of the functions below.
  Tensor operator()(const Tensor& x) const;
};

/// What an op that applies layers to queries and keys drops of the layers' inputs: a mask for each layer, or no mask at
/// all. Each is that of `dropout` over all of an input (…, H, in).
struct FeatureMapDropout {
  std::vector<DropoutMask> queries = {}, keys = {};
};

/// f(x).
Tensor feature_map_activation(const Tensor& x, FeatureActivation activation);

/// f(W x + b), weight (H, out, in), bias (H, out).
Tensor feature_map_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, FeatureActivation activation);

/// f(W x + b) ⊙ σ(G x + c), weight and gate (H, out, in), bias and gate_bias (H, out).
Tensor feature_map_glu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& gate,
                       const Tensor& gate_bias, FeatureActivation activation);

/// f(W x + b) ⊙ σ(B (A x)), weight (H, out, in), bias (H, out), down = A (H, rank, in), up = B (H, out, rank).
Tensor feature_map_lowrank_glu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& down,
                               const Tensor& up, FeatureActivation activation);

}  // namespace lintel
