// Dropout as a layer.
#pragma once

#include <lintel/core/tensor.hpp>
#include <lintel/nn/training.hpp>
#include <lintel/ops/dropout.hpp>

namespace lintel::nn {

/// In training, sets elements to zero with probability `rate` and scales the others by 1 / (1 − rate); otherwise the
/// identity. Which elements is a function of the training's key and step. See `lintel::dropout`.
struct Dropout {
  double rate;

  /// Throws `Error` unless 0 ≤ drop_rate < 1.
  explicit Dropout(double drop_rate);

  /// x → the same shape.
  Tensor operator()(const Tensor& x, const std::optional<Training>& training) const;

  /// What an op with dropout in it shall drop.
  DropoutMask mask(const std::optional<Training>& training) const;

  static void visit(auto&, auto&&) {}
};

}  // namespace lintel::nn
