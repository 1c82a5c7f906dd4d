// The gated feedforward network, and the choice between it and the plain one.
#pragma once

#include <string>
#include <variant>

#include <lintel/nn/feed_forward.hpp>

namespace lintel::nn {

/// down(dropout(silu(gate(x)) ⊙ up(x))), then dropout again; see `lintel::gated_feed_forward`.
/// Source: Shazeer, "GLU variants improve Transformer", arXiv 2002.05202.
struct SwiGlu {
  Linear gate;  ///< hidden → mlp
  Linear up;    ///< hidden → mlp
  Linear down;  ///< mlp → hidden
  Dropout dropout;
  bool recompute = false;  ///< keep nothing of size mlp for the backward pass, and compute it once more there

  SwiGlu(std::int64_t hidden, std::int64_t mlp, Rng& rng, double dropout_rate = 0, const LinearOptions& linear = {});

  /// x (…, hidden) → the same shape; `residual`, of that shape too, is added to the result.
  Tensor operator()(const Tensor& x, const std::optional<Training>& training = std::nullopt,
                    const Tensor& residual = Tensor()) const;

  static void visit(auto& self, auto&& f) {
    f("gate", self.gate);
    f("up", self.up);
    f("down", self.down);
  }
};

struct MlpOptions {
  std::string kind = "gelu";  ///< "gelu", which is `FeedForward`, or "swiglu"
  double dropout = 0;
  bool bias = true;
  bool recompute = false;  ///< of `FeedForward` and `SwiGlu`
};

/// The feedforward network that options ask for.
struct Mlp {
  std::variant<FeedForward, SwiGlu> kind;

  /// Throws `Error` for an unknown kind (the choices are listed) or sizes below 1.
  Mlp(std::int64_t hidden, std::int64_t mlp, Rng& rng, const MlpOptions& options = {});

  /// x (…, hidden) → the same shape; `residual`, of that shape too, is added to the result.
  Tensor operator()(const Tensor& x, const std::optional<Training>& training = std::nullopt,
                    const Tensor& residual = Tensor()) const;

  static void visit(auto& self, auto&& f) {
    // Through to the members: the plain network keeps the names it always had.
    std::visit([&](auto& network) { std::remove_cvref_t<decltype(network)>::visit(network, f); }, self.kind);
  }
};

}  // namespace lintel::nn
