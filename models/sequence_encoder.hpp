// From a sequence of tokens to one vector: what the models that judge whole texts share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lintel/core/choices.hpp>
#include <lintel/models/token_embedding.hpp>
#include <lintel/models/transformer_options.hpp>
#include <lintel/nn/block.hpp>

namespace lintel::models {

/// Embedding, pre-norm blocks, a last norm if it has one, pooling. A model that holds one visits its members as its own
/// (`blocks.0.attention.q.weight`), as the equivalent PyTorch module does.
struct SequenceEncoder {
  TokenEmbedding embedding;
  std::vector<nn::TransformerBlock> blocks;
  std::optional<nn::Norm> norm;
  std::string pooling;  ///< "cls": the vector of a trained first token; "last": of the last; "mean": the mean of all
  bool causal;          ///< whether a token sees itself and those before it alone

  /// Of the sizes and choices of a model's `config`, which `completed_config` has returned. Throws `Error` for sizes
  /// that blocks do not have.
  template <class ModelConfig>
  SequenceEncoder(const ModelConfig& config, bool last_norm, Rng& rng)
      : embedding({.vocab = config.vocab,
                   .max_length = config.max_length,
                   .hidden = config.hidden,
                   .cls = config.pooling == "cls",
                   .learned_positions = config.options.positions == "learned",
                   .from_end = config.positions_from_end},
                  rng),
        blocks(nn::make_blocks(config.blocks, block_config(config), rng)),
        pooling(config.pooling),
        causal(config.causal) {
    if (last_norm) norm.emplace(config.hidden, norm_options(config.options));
  }

  /// (sequences, hidden). Throws `Error` for no sequence, an empty one, one longer than max_length where positions are
  /// learned, or an id outside of the vocabulary.
  Tensor operator()(const Packed& tokens, const std::optional<nn::Training>& training) const {
    return pooled(embedding(tokens), training);
  }
  /// The same for ids (B, N), of which the first lengths[i] of row i count (none given: all).
  Tensor operator()(const Tensor& ids, const std::vector<std::int64_t>& lengths,
                    const std::optional<nn::Training>& training) const {
    return pooled(embedding(ids, lengths), training);
  }

  static void visit(auto& self, auto&& f) {
    f("embedding", self.embedding);
    f("blocks", self.blocks);
    f("norm", self.norm);
  }

 private:
  Tensor pooled(const EmbeddedTokens& embedded, const std::optional<nn::Training>& training) const;
};

/// The config of a model that has a `SequenceEncoder` and sorts into classes, with what it leaves open filled in.
/// Throws an `Error` that begins with `model` for a size below 1 or a name that is not among the choices.
template <class ModelConfig>
ModelConfig completed_config(const char* model, ModelConfig config) {
  const bool learned = config.options.positions == "learned";
  if (config.vocab < 1) fail(model, ": vocab is ", config.vocab, ", at least 1 wanted");
  if (config.classes < 1) fail(model, ": classes is ", config.classes, ", at least 1 wanted");
  check_options(model, config.options);
  if (learned && config.max_length < 1) fail(model, ": max_length is ", config.max_length, ", at least 1 wanted");
  if (config.hidden < 1) fail(model, ": hidden is ", config.hidden, ", at least 1 wanted");
  if (config.mlp < 0) fail(model, ": mlp is ", config.mlp, ", at least 1 wanted, or 0 for four times hidden");
  check_choice(model, "pooling", config.pooling, {"cls", "mean", "last"});
  if (config.positions_from_end && !learned) {
    fail(model, ": positions are counted from the end only where they are learned");
  }
  if (config.causal && config.pooling == "cls") {
    fail(model, ": a causal encoder wants the pooling mean or last, since a first token sees nothing but itself");
  }
  if (config.mlp == 0) config.mlp = 4 * config.hidden;
  return config;
}

}  // namespace lintel::models
