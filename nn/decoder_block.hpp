// The block that the decoder of an encoder–decoder Transformer is stacked from.
#pragma once

#include <vector>

#include <lintel/nn/block.hpp>

namespace lintel::nn {

/// What a decoder block remembers while a sequence is written: its own tokens so far, and the encoder's output.
struct DecoderBlockState {
  AttentionState attention;
  AttentionState cross_attention;

  /// See `AttentionState`.
  DecoderBlockState select(const std::vector<std::int64_t>& streams) const {
    return {attention.select(streams), cross_attention.select(streams)};
  }
};

/// x ← x + attention(norm1(x)), causal; x ← x + cross_attention(norm2(x), memory); x ← x + feed_forward(norm3(x)).
/// `memory` is the output of an encoder. Source: Vaswani et al., "Attention is all you need", arXiv 1706.03762, in the
/// pre-norm form; see `TransformerBlock`.
struct DecoderBlock {
  Norm norm1;
  Attention attention;
  Norm norm2;
  Attention cross_attention;
  Norm norm3;
  Mlp feed_forward;
  Dropout attention_output_dropout;
  bool checkpoint;  ///< see `TransformerBlock`

  DecoderBlock(const TransformerBlockConfig& config, Rng& rng);

  /// x (T, hidden) packed or (B, N, hidden) padded → the same shape; sequence i of x attends to sequence i of memory.
  Tensor operator()(const Tensor& x, const Sequences& sequences, const Tensor& memory,
                    const Sequences& memory_sequences, const std::optional<Training>& training = std::nullopt) const;

  /// The state of streams that have written nothing and attend to `memory`, stream i to sequence i.
  DecoderBlockState start(const Tensor& memory, const Sequences& memory_sequences) const;
  /// The same for the next token of each stream, x (streams, hidden).
  Tensor step(const Tensor& x, DecoderBlockState& state) const;

  /// The sum over both attentions; see `FeatureMap`.
  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) {
    f("norm1", self.norm1);
    f("attention", self.attention);
    f("norm2", self.norm2);
    f("cross_attention", self.cross_attention);
    f("norm3", self.norm3);
    f("feed_forward", self.feed_forward);
  }

 private:
  Tensor compute(const Tensor& x, const Sequences& sequences, const Tensor& memory, const Sequences& memory_sequences,
                 const std::optional<Training>& training) const;
};

}  // namespace lintel::nn
