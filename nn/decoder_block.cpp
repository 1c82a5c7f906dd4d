#include <lintel/autograd/checkpoint.hpp>
#include <lintel/autograd/tape.hpp>
#include <lintel/nn/decoder_block.hpp>
#include <lintel/ops/elementwise.hpp>

namespace lintel::nn {

namespace decoder_block_detail {

/// Of cross-attention, which has no convolution.
HeadOptions without_convolution(HeadOptions options) {
  options.convolution = 0;
  return options;
}

}  // namespace decoder_block_detail

DecoderBlock::DecoderBlock(const TransformerBlockConfig& config, Rng& rng)
    : norm1(config.hidden, config.norm),
      attention(config.hidden, config.heads, rng, config.attention, config.head),
      norm2(config.hidden, config.norm),
      cross_attention(config.hidden, config.heads, rng, config.attention,
                      decoder_block_detail::without_convolution(config.head)),
      norm3(config.hidden, config.norm),
      feed_forward(config.hidden, config.mlp, rng, mlp_options(config)),
      attention_output_dropout(config.attention_output_dropout),
      checkpoint(config.checkpoint) {}

Tensor DecoderBlock::operator()(const Tensor& x, const Sequences& sequences, const Tensor& memory,
                                const Sequences& memory_sequences, const std::optional<Training>& training) const {
  if (!checkpoint) return compute(x, sequences, memory, memory_sequences, training);
  // The tape may outlive the model: what it calls has handles of its own to the parameters.
  return lintel::checkpoint([block = *this, x, sequences, memory, memory_sequences, training] {
    return block.compute(x, sequences, memory, memory_sequences, training);
  });
}

Tensor DecoderBlock::compute(const Tensor& x, const Sequences& sequences, const Tensor& memory,
                             const Sequences& memory_sequences, const std::optional<Training>& training) const {
  const Tensor own = attention(norm1(x), sequences, true, child_of(training, 0));
  const Tensor attended = x + attention_output_dropout(own, child_of(training, 1));
  const Tensor other =
      cross_attention.cross(norm2(attended), sequences, memory, memory_sequences, child_of(training, 2));
  const Tensor informed = attended + attention_output_dropout(other, child_of(training, 3));
  const LayerScope scope("feed_forward");
  return feed_forward(norm3(informed), child_of(training, 4), informed);
}

DecoderBlockState DecoderBlock::start(const Tensor& memory, const Sequences& memory_sequences) const {
  return {attention.empty_state(memory_sequences.count()), cross_attention.remember(memory, memory_sequences)};
}

Tensor DecoderBlock::step(const Tensor& x, DecoderBlockState& state) const {
  const Sequences one_each = Sequences::padded(x.size(0), 1);
  const Tensor attended = x + attention.read(norm1(x), one_each, state.attention);
  const Tensor informed = attended + cross_attention.recall(norm2(attended), state.cross_attention);
  return feed_forward(norm3(informed), std::nullopt, informed);
}

Tensor DecoderBlock::orthogonality_penalty() const {
  return attention.orthogonality_penalty() + cross_attention.orthogonality_penalty();
}

}  // namespace lintel::nn
