// Multi-head self-attention: the linear kind over a trained feature map, and the softmax kind, behind one call.
#pragma once

#include <string>
#include <variant>

#include <lintel/nn/feature_maps.hpp>
#include <lintel/nn/linear.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel::nn {

/// Attention in O(N): weights φ(q)·φ(k) with a trained feature map φ, shared by the queries and keys of a head.
struct KernelAttentionConfig {
  std::string feature_map = "glu";  ///< "linear", "glu" or "lowrank_glu"
  int layers = 1;                   ///< of the feature map
  bool bias = false;                ///< in the feature map
  double dropout = 0;               ///< on the input of every layer of the feature map
  double epsilon = 1e-6;            ///< added to the normaliser φ(q)·Σφ(k)
};

/// Attention in O(N²): weights exp(q·k / √head_dim).
struct SoftmaxAttentionConfig {};

using AttentionConfig = std::variant<KernelAttentionConfig, SoftmaxAttentionConfig>;

/// The projections of hidden vectors to queries, keys and values of all heads, and of what the heads found back.
/// With head_dim = hidden / heads, column h·head_dim + i of a projection is element i of head h.
struct KernelAttention {
  Linear q, k, v, o;
  FeatureMap feature_map;
  std::int64_t heads;
  double epsilon;

  /// Throws `Error` unless head_count divides hidden, or for a config out of range.
  KernelAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng, const KernelAttentionConfig& config = {});

  /// x (T, hidden) packed or (B, N, hidden) padded → the same shape. With `causal` a row sees itself and what stands
  /// before it in its sequence. Rows outside every sequence get the bias of `o`.
  Tensor operator()(const Tensor& x, const Sequences& sequences, bool causal = false,
                    const std::optional<Training>& training = std::nullopt) const;

  /// See `FeatureMap`.
  Tensor orthogonality_penalty() const { return feature_map.orthogonality_penalty(); }

  static void visit(auto& self, auto&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
    f("o", self.o);
    f("feature_map", self.feature_map);
  }
};

struct SoftmaxAttention {
  Linear q, k, v, o;
  std::int64_t heads;

  /// Throws `Error` unless head_count divides hidden.
  SoftmaxAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng, const SoftmaxAttentionConfig& config = {});

  /// As `KernelAttention`; there is nothing that acts in training only.
  Tensor operator()(const Tensor& x, const Sequences& sequences, bool causal = false,
                    const std::optional<Training>& training = std::nullopt) const;

  /// Zero: there is no feature map.
  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
    f("o", self.o);
  }
};

/// The attention that a config asks for.
struct Attention {
  std::variant<KernelAttention, SoftmaxAttention> kind;

  Attention(std::int64_t hidden, std::int64_t heads, Rng& rng, const AttentionConfig& config = {});

  Tensor operator()(const Tensor& x, const Sequences& sequences, bool causal = false,
                    const std::optional<Training>& training = std::nullopt) const;

  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) {
    // Through to the members: which kind it is shall not show in their names.
    std::visit([&](auto& attention) { std::remove_cvref_t<decltype(attention)>::visit(attention, f); }, self.kind);
  }
};

}  // namespace lintel::nn
