// Optimisers: from gradients to new parameters.
#pragma once

#include <vector>

#include <lintel/autograd/gradients.hpp>
#include <lintel/nn/parameters.hpp>

namespace lintel::nn {

struct SgdOptions {
  double momentum = 0;
  double weight_decay = 0;  ///< added to the gradient, as weight_decay · w
};

/// Stochastic gradient descent: g ← g + weight_decay · w, b ← momentum · b + g, w ← w − learning_rate · b.
/// The optimiser is a module: its state can be listed, saved and loaded like parameters.
class SGD {
 public:
  /// Optimises every tensor of `model`, one that two members share (tied weights) once. It keeps handles, so that it
  /// writes into the model.
  template <Module M>
  explicit SGD(const M& model, const SgdOptions& options = {}) : SGD(named_parameters(model), options) {}
  /// Optimises some tensors only. Throws `Error` for options out of range or a tensor that is not floating-point.
  explicit SGD(std::vector<NamedTensor> parameters, const SgdOptions& options = {});

  /// One step with the gradients times `gradient_scale`, such as `clip_factor`, which costs nothing here and a pass
  /// over memory elsewhere. Throws an `Error` that names a parameter without a gradient; then nothing has changed.
  void step(const Gradients& gradients, double learning_rate, double gradient_scale = 1);

  static void visit(auto& self, auto&& f) {
    for (std::size_t i = 0; i < self.momentum_.size(); ++i) {
      f(("momentum." + self.parameters_[i].name).c_str(), self.momentum_[i]);
    }
  }

 private:
  std::vector<NamedTensor> parameters_;
  SgdOptions options_;
  std::vector<Tensor> momentum_;  // empty without momentum
};

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< decoupled: w shrinks by learning_rate · weight_decay, whatever the gradient
};

/// Adam with decoupled weight decay. In step t, counted from 1, with gradient g:
///     w ← w − learning_rate · weight_decay · w
///     m ← beta1 · m + (1 − beta1) · g,   v ← beta2 · v + (1 − beta2) · g²
///     w ← w − learning_rate · m̂ / (√v̂ + epsilon),   m̂ = m / (1 − beta1ᵗ),  v̂ = v / (1 − beta2ᵗ)
/// Source: Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019, with the schedule inside
/// `learning_rate`, as PyTorch has it. The optimiser is a module: its state can be listed, saved and loaded.
class AdamW {
 public:
  /// Optimises every tensor of `model`, one that two members share (tied weights) once. It keeps handles, so that it
  /// writes into the model.
  template <Module M>
  explicit AdamW(const M& model, const AdamWOptions& options = {}) : AdamW(named_parameters(model), options) {}
  /// Optimises some tensors only. Throws `Error` for options out of range or a tensor that is not floating-point.
  explicit AdamW(std::vector<NamedTensor> parameters, const AdamWOptions& options = {});

  /// One step with the gradients times `gradient_scale`, such as `clip_factor`, which costs nothing here and a pass
  /// over memory elsewhere. Throws an `Error` that names a parameter without a gradient; then nothing has changed.
  void step(const Gradients& gradients, double learning_rate, double gradient_scale = 1);

  static void visit(auto& self, auto&& f) {
    f("step", self.step_);
    for (std::size_t i = 0; i < self.parameters_.size(); ++i) {
      f(("first_moment." + self.parameters_[i].name).c_str(), self.first_moment_[i]);
      f(("second_moment." + self.parameters_[i].name).c_str(), self.second_moment_[i]);
    }
  }

 private:
  std::vector<NamedTensor> parameters_;
  AdamWOptions options_;
  Tensor step_;  // int64: steps taken
  std::vector<Tensor> first_moment_, second_moment_;
};

}  // namespace lintel::nn
