// What `Activation` names, in float64.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <lintel/ops/activation.hpp>

namespace lintel {

inline double activation_of(Activation activation, double u) {
  const bool vanishes_below = activation != Activation::none && activation != Activation::tanh;
  if (u == -std::numeric_limits<double>::infinity() && vanishes_below) return 0;  // the limit, not −∞·0
  switch (activation) {
    case Activation::none:
      return u;
    case Activation::relu:
      return std::max(u, 0.0);
    case Activation::gelu:
      return u * std::erfc(-u / std::numbers::sqrt2) / 2;
    case Activation::gelu_tanh:
      return u * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (u + 0.044715 * u * u * u))) / 2;
    case Activation::silu:
      return u / (1 + std::exp(-u));
    case Activation::tanh:
      return std::tanh(u);
  }
  return 0;
}

}  // namespace lintel
