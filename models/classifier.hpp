// A Transformer encoder that sorts sequences into classes.
#pragma once

#include <string>
#include <vector>

#include <lintel/models/batch.hpp>
#include <lintel/models/sequence_encoder.hpp>

namespace lintel::models {

struct ClassifierConfig {
  std::int64_t vocab = 0;       ///< token ids are 0 … vocab − 1
  std::int64_t classes = 0;     ///< labels are 0 … classes − 1
  std::int64_t max_length = 0;  ///< tokens of the longest sequence, where positions are learned
  std::int64_t hidden = 128;    ///< a multiple of heads
  std::int64_t mlp = 0;         ///< 0: four times hidden
  std::int64_t heads = 4;
  std::int64_t blocks = 2;
  nn::AttentionConfig attention = nn::KernelAttentionConfig{};
  double dropout = 0;           ///< in the feedforward networks
  std::string pooling = "cls";  ///< what the head sees: "cls", a trained first vector; "last", the last; "mean" of all
  bool positions_from_end = false;  ///< whether a token knows its place from the end too; wants learned positions
  bool causal = false;  ///< whether a token sees itself and those before it alone; not with the pooling "cls"
  TransformerOptions options = {};
};

/// Linear(hidden → mlp), GELU, Linear(mlp → classes).
struct ClassifierHead {
  nn::Linear dense, out;

  ClassifierHead(std::int64_t hidden, std::int64_t mlp, std::int64_t classes, Rng& rng,
                 const nn::LinearOptions& linear = {})
      : dense(hidden, mlp, rng, linear), out(mlp, classes, rng, linear) {}

  Tensor operator()(const Tensor& pooled) const { return out(dense(pooled, Activation::gelu)); }

  static void visit(auto& self, auto&& f) {
    f("dense", self.dense);
    f("out", self.out);
  }
};

/// Embedding, pre-norm blocks, a last norm, pooling, head.
/// Source: the models of Long Range Arena (Tay et al., ICLR 2021) with the attention exchanged.
struct Classifier {
  ClassifierConfig config;
  SequenceEncoder encoder;
  ClassifierHead head;

  /// Throws `Error` for a size below 1, heads that do not divide hidden, or a name that is not among the choices.
  Classifier(const ClassifierConfig& config, Rng& rng);

  /// Logits (B, classes). Throws `Error` for no sequence, an empty one, one longer than max_length where positions are
  /// learned, or an id outside of the vocabulary.
  Tensor operator()(const Packed& tokens, const std::optional<nn::Training>& training = std::nullopt) const;
  /// The same for ids (B, N), of which the first lengths[i] of row i count (none given: all). What stands in padding
  /// has no influence, but must be ids of the vocabulary.
  Tensor operator()(const Tensor& ids, const std::vector<std::int64_t>& lengths = {},
                    const std::optional<nn::Training>& training = std::nullopt) const;

  /// Σ over blocks and layers of mean((W Wᵀ − I)²) of the feature maps, a scalar to be scaled and added to the loss.
  Tensor orthogonality_penalty() const { return nn::orthogonality_penalty(encoder.blocks); }

  static void visit(auto& self, auto&& f) {
    SequenceEncoder::visit(self.encoder, f);
    f("head", self.head);
  }

 private:
  Tensor classify(const Tensor& pooled) const;
};

}  // namespace lintel::models
