// The position-wise feedforward network of a Transformer block.
#pragma once

#include <lintel/nn/dropout.hpp>
#include <lintel/nn/linear.hpp>

namespace lintel::nn {

/// down(dropout(gelu(up(x)))), then dropout again.
/// Source: Vaswani et al., "Attention is all you need", 2017, with the GELU of BERT.
struct FeedForward {
  Linear up;    ///< hidden → mlp
  Linear down;  ///< mlp → hidden
  Dropout dropout;

  FeedForward(std::int64_t hidden, std::int64_t mlp, Rng& rng, double dropout_rate = 0,
              const LinearOptions& linear = {});

  /// x (…, hidden) → the same shape.
  Tensor operator()(const Tensor& x, const std::optional<Training>& training = std::nullopt) const;

  static void visit(auto& self, auto&& f) {
    f("up", self.up);
    f("down", self.down);
  }
};

}  // namespace lintel::nn
