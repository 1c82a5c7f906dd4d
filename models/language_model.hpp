// A causal Transformer that tells what comes next.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include <lintel/models/language_model_state.hpp>
#include <lintel/models/token_embedding.hpp>
#include <lintel/models/transformer_options.hpp>
#include <lintel/nn/block.hpp>

namespace lintel::models {

struct LanguageModelConfig {
  std::int64_t vocab = 0;       ///< token ids are 0 … vocab − 1
  std::int64_t max_length = 0;  ///< tokens of the longest sequence, where positions are learned
  std::int64_t hidden = 128;    ///< a multiple of heads
  std::int64_t mlp = 0;         ///< 0: four times hidden
  std::int64_t heads = 4;
  std::int64_t blocks = 2;
  nn::AttentionConfig attention = nn::KernelAttentionConfig{};
  double dropout = 0;  ///< in the feedforward networks
  TransformerOptions options = {};
  bool tied_output = false;  ///< the logits are scalar products with the embeddings of the tokens, without a bias
};

/// Embedding, causal pre-norm blocks, a last norm, Linear(hidden → vocab).
struct LanguageModel {
  LanguageModelConfig config;
  TokenEmbedding embedding;
  std::vector<nn::TransformerBlock> blocks;
  nn::Norm norm;
  std::optional<nn::Linear> head;  ///< none with tied_output

  /// Throws `Error` for a size below 1, heads that do not divide hidden, a name that is not among the choices, or
  /// options that do not fit each other.
  LanguageModel(const LanguageModelConfig& config, Rng& rng);

  /// Logits (T, vocab): row i is the prediction of the token after token i, from the tokens of its sequence up to i.
  /// Throws `Error` as `Classifier` does.
  Tensor operator()(const Packed& tokens, const std::optional<nn::Training>& training = std::nullopt) const;

  /// The mean cross-entropy, in nats, of every token but the first of each sequence. The logits are never held as a
  /// whole. Throws an `Error` also when no sequence has two tokens.
  Tensor loss(const Packed& tokens, const std::optional<nn::Training>& training = std::nullopt) const;

  /// The state of streams that have read nothing.
  LanguageModelState empty_state(std::int64_t streams = 1) const;
  /// Reads the next tokens of every stream, sequence i those of stream i, and returns the logits of the token that
  /// comes after the last of them: (streams, vocab). They are those of the call above on all that the stream has read,
  /// up to rounding. Reads pieces of `prefill_piece` tokens of a stream at a time, so that a long prompt takes no more
  /// memory than a piece, its ids and the state. Throws `Error` as the call above does, for another number of sequences
  /// than streams, for an empty one, for a state of another model, and where a tape watches; the state is then
  /// unchanged.
  Tensor prefill(const Packed& tokens, LanguageModelState& state) const;
  static constexpr std::int64_t prefill_piece = 2048;
  /// The same for one token of each stream, ids int64 (streams): in time that does not depend on the tokens read where
  /// attention is kernel attention, and grows with them where it is softmax attention.
  Tensor step(const Tensor& ids, LanguageModelState& state) const;
  /// Reads what `save_state` wrote: streams go on with the same tokens as if they had not stopped. Throws `Error` for a
  /// file that is damaged or does not fit this model.
  LanguageModelState load_state(const std::filesystem::path& path) const;

  /// As in `Classifier`.
  Tensor orthogonality_penalty() const { return nn::orthogonality_penalty(blocks); }

  static void visit(auto& self, auto&& f) {
    f("embedding", self.embedding);
    f("blocks", self.blocks);
    f("norm", self.norm);
    f("head", self.head);
  }

 private:
  /// The vectors behind the last block (T, hidden), which the norm and the head read.
  Tensor vectors(const Packed& tokens, const std::optional<nn::Training>& training) const;
  Tensor logits_of(const Tensor& x) const;
  Tensor read(const Packed& tokens, LanguageModelState& state) const;
};

}  // namespace lintel::models
