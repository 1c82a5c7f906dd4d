// The block that Transformers are stacked from.
#pragma once

#include <vector>

#include <lintel/nn/attention.hpp>
#include <lintel/nn/norm.hpp>
#include <lintel/nn/swiglu.hpp>

namespace lintel::nn {

struct TransformerBlockConfig {
  std::int64_t hidden = 128;
  std::int64_t mlp = 512;
  std::int64_t heads = 4;
  AttentionConfig attention = KernelAttentionConfig{};
  double dropout = 0;  ///< in the feedforward network
  /// On what attention adds to its input; the feedforward network does the same by `dropout`.
  double attention_output_dropout = 0;
  HeadOptions head = {};
  NormOptions norm = {};
  std::string feed_forward = "gelu";  ///< "gelu" or "swiglu"
  bool bias = true;                   ///< in the feedforward network
  bool checkpoint = false;            ///< see `TransformerBlock`
};

/// What a block of this config asks of its feedforward network.
MlpOptions mlp_options(const TransformerBlockConfig& config);

/// x ← x + attention(norm1(x)), x ← x + feed_forward(norm2(x)).
/// Source: the pre-norm form of Xiong et al., "On layer normalization in the Transformer architecture", ICML 2020.
/// With `checkpoint` a tape keeps nothing of a block but x, and the backward pass computes the block once more, with
/// the same dropout: the same gradients bit for bit, in a third more time and, of a deep model, a fraction of the
/// memory.
struct TransformerBlock {
  Norm norm1;
  Attention attention;
  Norm norm2;
  Mlp feed_forward;
  Dropout attention_output_dropout;
  bool checkpoint;

  TransformerBlock(const TransformerBlockConfig& config, Rng& rng);

  /// x (T, hidden) packed or (B, N, hidden) padded → the same shape; see `KernelAttention` for `causal`.
  Tensor operator()(const Tensor& x, const Sequences& sequences, bool causal = false,
                    const std::optional<Training>& training = std::nullopt) const;

  /// The same of the next tokens of the streams of `state`; see `KernelAttention::read`.
  Tensor read(const Tensor& x, const Sequences& sequences, AttentionState& state) const;

  static void visit(auto& self, auto&& f) {
    f("norm1", self.norm1);
    f("attention", self.attention);
    f("norm2", self.norm2);
    f("feed_forward", self.feed_forward);
  }

 private:
  Tensor compute(const Tensor& x, const Sequences& sequences, bool causal,
                 const std::optional<Training>& training) const;
};

/// `count` blocks of one config. Throws `Error` below 1.
std::vector<TransformerBlock> make_blocks(std::int64_t count, const TransformerBlockConfig& config, Rng& rng);

/// One block after the other; errors and records name them `blocks.0`, `blocks.1`, ….
Tensor apply_blocks(const std::vector<TransformerBlock>& blocks, const Tensor& x, const Sequences& sequences,
                    bool causal = false, const std::optional<Training>& training = std::nullopt);

/// The sum of the blocks' orthogonality penalties, a scalar.
Tensor orthogonality_penalty(const std::vector<TransformerBlock>& blocks);

}  // namespace lintel::nn
