// The position-wise feedforward network of a Transformer block.
#pragma once

#include <lintel/nn/dropout.hpp>
#include <lintel/nn/linear.hpp>

namespace lintel::nn {

/// down(dropout(gelu(up(x)))), then dropout again; see `lintel::feed_forward`.
/// Source: Vaswani et al., "Attention is all you need", 2017, with the GELU of BERT.
struct FeedForward {
  Linear up;    ///< hidden → mlp
  Linear down;  ///< mlp → hidden
  Dropout dropout;
  bool recompute = false;  ///< keep nothing of size mlp for the backward pass, and compute it once more there

  FeedForward(std::int64_t hidden, std::int64_t mlp, Rng& rng, double dropout_rate = 0,
              const LinearOptions& linear = {});

  /// x (…, hidden) → the same shape; `residual`, of that shape too, is added to the result.
  Tensor operator()(const Tensor& x, const std::optional<Training>& training = std::nullopt,
                    const Tensor& residual = Tensor()) const;

  static void visit(auto& self, auto&& f) {
    f("up", self.up);
    f("down", self.down);
  }
};

}  // namespace lintel::nn
