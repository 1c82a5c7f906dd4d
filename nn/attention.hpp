// Multi-head attention, of a sequence to itself or to another one: the linear kind over a trained feature map, and the
// softmax kind, behind one call.
#pragma once

#include <string>
#include <variant>

#include <lintel/nn/attention_state.hpp>
#include <lintel/nn/feature_maps.hpp>
#include <lintel/nn/head_layers.hpp>
#include <lintel/nn/linear.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel::nn {

/// Attention in O(N): weights φ(q)·φ(k) with a trained feature map φ, shared by the queries and keys of a head.
struct KernelAttentionConfig {
  std::string feature_map = "glu";  ///< one of `feature_map_kinds`
  int layers = 1;                   ///< of the feature map
  bool bias = false;                ///< in the feature map
  /// On the input of every layer of the feature map, with masks of queries and of keys. The layers that
  /// `kernel_attention` applies itself drop block by block there; no mask or dropped array is kept.
  double dropout = 0;
  double epsilon = 1e-6;  ///< added to the normaliser φ(q)·Σφ(k)
  /// What keeps Σ (φ(q)·φ(k)) v in size: "sum" divides it by φ(q)·Σφ(k), the paper's; "sqrt_n" by the root of the
  /// number of keys (SimpleTRON, arXiv 2111.15588); "rmsnorm" puts an `RMSNorm` of each head behind that (Qin et al.,
  /// "The devil in linear Transformer", arXiv 2210.10340).
  std::string normaliser = "sum";
};

/// The names of all normalisers.
const std::vector<std::string>& normaliser_kinds();

/// Attention in O(N²): weights exp(q·k / √head_dim).
struct SoftmaxAttentionConfig {};

using AttentionConfig = std::variant<KernelAttentionConfig, SoftmaxAttentionConfig>;

/// The heads of an attention of either kind.
struct HeadOptions {
  /// Heads of keys and values; consecutive heads of queries share one. A divisor of the heads, or 0: as many.
  /// Source: Ainslie et al., "GQA", arXiv 2305.13245.
  std::int64_t kv_heads = 0;
  bool bias = true;        ///< in the projections
  double rotary_base = 0;  ///< of `rotary`, which turns queries and keys by their place in their sequence; 0: not
  bool qk_norm = false;    ///< a `QueryKeyNorm`
  /// Width of `ShortConvolutions`, in the attention of a sequence to itself; 0: none. The encoder's see earlier tokens
  /// only, too.
  std::int64_t convolution = 0;
};

/// The projections of hidden vectors to queries, keys and values of all heads, and of what the heads found back.
/// With head_dim = hidden / heads, column h·head_dim + i of a projection is element i of head h. Keys and values that
/// several heads share are seen by each through its own feature map.
struct KernelAttention {
  Linear q, k, v, o;
  FeatureMap feature_map;
  std::optional<RMSNorm> head_norm;  ///< of what each head found, over head_dim; the normaliser "rmsnorm"
  std::optional<QueryKeyNorm> qk_norm;
  std::optional<ShortConvolutions> convolution;
  std::int64_t heads, kv_heads;
  double rotary_base, epsilon;
  KernelNormaliser normaliser;

  /// Throws `Error` unless head_count divides hidden and kv_heads divides head_count, for rotary positions with an odd
  /// head_dim, for a config out of range, or for a sum of weights that may be negative, those of the map "identity".
  KernelAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng, const KernelAttentionConfig& config = {},
                  const HeadOptions& options = {});

  /// x (T, hidden) packed or (B, N, hidden) padded → the same shape. With `causal` a row sees itself and what stands
  /// before it in its sequence. Rows outside every sequence get the bias of `o`.
  Tensor operator()(const Tensor& x, const Sequences& sequences, bool causal = false,
                    const std::optional<Training>& training = std::nullopt) const;

  /// The memory of streams that have read nothing.
  AttentionState empty_state(std::int64_t streams) const;
  /// Causal attention to all that the streams of `state` have read and to x (T, hidden) or (B, N, hidden), their next
  /// tokens, which the state then has read too: sequence i belongs to stream i and may be empty. One token of each
  /// stream is read by the recurrence, more of them in chunks; the result is that of reading all at once, up to
  /// rounding. Throws `Error` for a state of another kind or shape, and where a tape watches: states have no
  /// derivatives.
  Tensor read(const Tensor& x, const Sequences& sequences, AttentionState& state) const;

  /// Cross-attention: queries from x (T, hidden) or (B, N, hidden), keys and values from `memory`, of the same form and
  /// usually another length → the shape of x. Sequence i of the one attends to all of sequence i of the other. Rotary
  /// positions and convolutions are left out: places in two sequences are not comparable.
  Tensor cross(const Tensor& x, const Sequences& sequences, const Tensor& memory, const Sequences& memory_sequences,
               const std::optional<Training>& training = std::nullopt) const;
  /// All that `cross` needs of `memory`, computed once: stream i is sequence i.
  AttentionState remember(const Tensor& memory, const Sequences& memory_sequences) const;
  /// `cross` for one row of each stream, x (streams, hidden) → the same shape, in time that does not depend on the
  /// lengths in memory. Throws `Error` as `read` does.
  Tensor recall(const Tensor& x, const AttentionState& state) const;

  /// See `FeatureMap`; zero where the map has no orthogonal matrices.
  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
    f("o", self.o);
    f("feature_map", self.feature_map);
    f("head_norm", self.head_norm);
    f("qk_norm", self.qk_norm);
    f("convolution", self.convolution);
  }

 private:
  KernelAttentionOptions options(bool causal) const;
  /// What stands behind the heads: found (…, heads, head_dim) → the shape of x.
  Tensor join_heads(const Tensor& found, const Shape& shape) const;
  Tensor attend(const Tensor& queries, const Tensor& keys, const Tensor& values, const Sequences& query_sequences,
                const Sequences& key_sequences, bool causal, const std::optional<Training>& training) const;
};

struct SoftmaxAttention {
  Linear q, k, v, o;
  std::optional<QueryKeyNorm> qk_norm;
  std::optional<ShortConvolutions> convolution;
  std::int64_t heads, kv_heads;
  double rotary_base;

  /// Throws `Error` as `KernelAttention` does.
  SoftmaxAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng, const SoftmaxAttentionConfig& config = {},
                   const HeadOptions& options = {});

  /// As `KernelAttention`; there is nothing that acts in training only.
  Tensor operator()(const Tensor& x, const Sequences& sequences, bool causal = false,
                    const std::optional<Training>& training = std::nullopt) const;

  /// As `KernelAttention`; the memory is a cache of keys and values, and grows with the tokens read.
  AttentionState empty_state(std::int64_t streams) const;
  Tensor read(const Tensor& x, const Sequences& sequences, AttentionState& state) const;

  /// As `KernelAttention`, in time that grows with the lengths in memory.
  Tensor cross(const Tensor& x, const Sequences& sequences, const Tensor& memory, const Sequences& memory_sequences,
               const std::optional<Training>& training = std::nullopt) const;
  AttentionState remember(const Tensor& memory, const Sequences& memory_sequences) const;
  Tensor recall(const Tensor& x, const AttentionState& state) const;

  /// Zero: there is no feature map.
  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
    f("o", self.o);
    f("qk_norm", self.qk_norm);
    f("convolution", self.convolution);
  }
};

/// What heads compare: queries and keys (…, heads, head_dim), turned by their places where positions are rotary, each
/// key as often as heads share it.
struct QueriesAndKeys {
  Tensor queries, keys;
};

/// The attention that a config asks for.
struct Attention {
  std::variant<KernelAttention, SoftmaxAttention> kind;

  Attention(std::int64_t hidden, std::int64_t heads, Rng& rng, const AttentionConfig& config = {},
            const HeadOptions& options = {});

  Tensor operator()(const Tensor& x, const Sequences& sequences, bool causal = false,
                    const std::optional<Training>& training = std::nullopt) const;

  /// Those of x, which is as in the call above.
  QueriesAndKeys queries_and_keys(const Tensor& x, const Sequences& sequences) const;

  AttentionState empty_state(std::int64_t streams) const;
  Tensor read(const Tensor& x, const Sequences& sequences, AttentionState& state) const;

  Tensor cross(const Tensor& x, const Sequences& sequences, const Tensor& memory, const Sequences& memory_sequences,
               const std::optional<Training>& training = std::nullopt) const;
  AttentionState remember(const Tensor& memory, const Sequences& memory_sequences) const;
  Tensor recall(const Tensor& x, const AttentionState& state) const;

  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) {
    // Through to the members: which kind it is shall not show in their names.
    std::visit([&](auto& attention) { std::remove_cvref_t<decltype(attention)>::visit(attention, f); }, self.kind);
  }
};

}  // namespace lintel::nn
