// A causal Transformer that tells what comes next.
#pragma once

#include <vector>

#include <lintel/models/token_embedding.hpp>
#include <lintel/nn/block.hpp>

namespace lintel::models {

struct LanguageModelConfig {
  std::int64_t vocab = 0;       ///< token ids are 0 … vocab − 1
  std::int64_t max_length = 0;  ///< tokens of the longest sequence
  std::int64_t hidden = 128;    ///< a multiple of heads
  std::int64_t mlp = 0;         ///< 0: four times hidden
  std::int64_t heads = 4;
  std::int64_t blocks = 2;
  nn::AttentionConfig attention = nn::KernelAttentionConfig{};
  double dropout = 0;  ///< in the feedforward networks
};

/// Embedding, causal pre-norm blocks, a last LayerNorm, Linear(hidden → vocab).
struct LanguageModel {
  LanguageModelConfig config;
  TokenEmbedding embedding;
  std::vector<nn::TransformerBlock> blocks;
  nn::LayerNorm norm;
  nn::Linear head;

  /// Throws `Error` for a size below 1, heads that do not divide hidden, or an unknown feature map.
  LanguageModel(const LanguageModelConfig& config, Rng& rng);

  /// Logits (T, vocab): row i is the prediction of the token after token i, from the tokens of its sequence up to i.
  /// Throws `Error` as `Classifier` does.
  Tensor operator()(const Packed& tokens, const std::optional<nn::Training>& training = std::nullopt) const;

  /// The mean cross-entropy, in nats, of every token but the first of each sequence. The logits are never held as a
  /// whole. Throws an `Error` also when no sequence has two tokens.
  Tensor loss(const Packed& tokens, const std::optional<nn::Training>& training = std::nullopt) const;

  /// As in `Classifier`.
  Tensor orthogonality_penalty() const { return nn::orthogonality_penalty(blocks); }

  /// What the head reads: the normalised vectors behind the last block (T, hidden).
  Tensor vectors(const Packed& tokens, const std::optional<nn::Training>& training) const;

  static void visit(auto& self, auto&& f) {
    f("embedding", self.embedding);
    f("blocks", self.blocks);
    f("norm", self.norm);
    f("head", self.head);
  }
};

}  // namespace lintel::models
