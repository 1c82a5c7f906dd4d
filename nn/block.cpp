#include <lintel/autograd/checkpoint.hpp>
#include <lintel/nn/block.hpp>
#include <lintel/ops/elementwise.hpp>

namespace lintel::nn {

MlpOptions mlp_options(const TransformerBlockConfig& config) {
  return {.kind = config.feed_forward, .dropout = config.dropout, .bias = config.bias, .recompute = config.checkpoint};
}

TransformerBlock::TransformerBlock(const TransformerBlockConfig& config, Rng& rng)
    : norm1(config.hidden, config.norm),
      attention(config.hidden, config.heads, rng, config.attention, config.head),
      norm2(config.hidden, config.norm),
      feed_forward(config.hidden, config.mlp, rng, mlp_options(config)),
      attention_output_dropout(config.attention_output_dropout),
      checkpoint(config.checkpoint) {}

Tensor TransformerBlock::operator()(const Tensor& x, const Sequences& sequences, bool causal,
                                    const std::optional<Training>& training) const {
  if (!checkpoint) return compute(x, sequences, causal, training);
  // The tape may outlive the model: what it calls has handles of its own to the parameters.
  return lintel::checkpoint(
      [block = *this, x, sequences, causal, training] { return block.compute(x, sequences, causal, training); });
}

Tensor TransformerBlock::compute(const Tensor& x, const Sequences& sequences, bool causal,
                                 const std::optional<Training>& training) const {
  const Tensor found = attention(norm1(x), sequences, causal, child_of(training, 0));
  const Tensor attended = x + attention_output_dropout(found, child_of(training, 2));
  const LayerScope scope("feed_forward");
  return feed_forward(norm2(attended), child_of(training, 1), attended);
}

Tensor TransformerBlock::read(const Tensor& x, const Sequences& sequences, AttentionState& state) const {
  const Tensor attended = x + attention.read(norm1(x), sequences, state);
  return feed_forward(norm2(attended), std::nullopt, attended);
}

std::vector<TransformerBlock> make_blocks(std::int64_t count, const TransformerBlockConfig& config, Rng& rng) {
  if (count < 1) fail("blocks: ", count, " blocks, at least 1 wanted");
  std::vector<TransformerBlock> blocks;
  for (std::int64_t i = 0; i < count; ++i) blocks.emplace_back(config, rng);
  return blocks;
}

Tensor apply_blocks(const std::vector<TransformerBlock>& blocks, const Tensor& x, const Sequences& sequences,
                    bool causal, const std::optional<Training>& training) {
  Tensor result = x;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const LayerScope scope("blocks." + std::to_string(i));
    result = blocks[i](result, sequences, causal, child_of(training, i));
  }
  return result;
}

Tensor orthogonality_penalty(const std::vector<TransformerBlock>& blocks) {
  Tensor total;
  for (const TransformerBlock& block : blocks) {
    const Tensor penalty = block.attention.orthogonality_penalty();
    total = total.defined() ? total + penalty : penalty;
  }
  return total;
}

}  // namespace lintel::nn
