// A Transformer encoder that sorts pairs of sequences into classes: whether two texts belong together, for example.
#pragma once

#include <string>
#include <vector>

#include <lintel/models/sequence_encoder.hpp>

namespace lintel::models {

struct DualEncoderConfig {
  std::int64_t vocab = 0;       ///< token ids are 0 … vocab − 1
  std::int64_t classes = 2;     ///< labels are 0 … classes − 1
  std::int64_t max_length = 0;  ///< tokens of the longest sequence, where positions are learned
  std::int64_t hidden = 128;    ///< a multiple of heads
  std::int64_t mlp = 0;         ///< 0: four times hidden
  std::int64_t heads = 4;
  std::int64_t blocks = 2;
  nn::AttentionConfig attention = nn::KernelAttentionConfig{};
  double dropout = 0;                ///< in the feedforward networks
  std::string pooling = "cls";       ///< what is compared: as of `ClassifierConfig`
  bool positions_from_end = false;   ///< as of `ClassifierConfig`
  bool causal = false;               ///< as of `ClassifierConfig`
  std::string interaction = "none";  ///< what the head sees beside the two vectors: "none", or "nli"
  TransformerOptions options = {};
};

/// Linear(→ mlp), ReLU, Linear(mlp → mlp/2), ReLU, Linear(→ classes) of [x₁, x₂] or, with the interaction "nli", of
/// [x₁, x₂, x₁ ⊙ x₂, x₁ − x₂], where x₁, x₂ (B, hidden) are the vectors of a pair.
struct PairHead {
  nn::Linear dense1, dense2, out;
  std::string interaction;

  PairHead(const DualEncoderConfig& config, Rng& rng);
  Tensor operator()(const Tensor& first, const Tensor& second) const;

  static void visit(auto& self, auto&& f) {
    f("dense1", self.dense1);
    f("dense2", self.dense2);
    f("out", self.out);
  }
};

/// One encoder, without a last norm, reads both sequences of a pair, neither knowing of the other; the head compares
/// what it made of them. Source: the matching task of Long Range Arena (Tay et al., ICLR 2021), and the code to Yorsh,
/// Kovalenko, arXiv 2211.04076, whose head has no interaction; "nli" is Long Range Arena's, after Mou et al., "Natural
/// language inference by tree-based convolution and heuristic matching", ACL 2016.
struct DualEncoder {
  DualEncoderConfig config;
  SequenceEncoder encoder;
  PairHead head;

  /// Throws `Error` for a size below 1, an mlp of 1, heads that do not divide hidden, or a name that is not among the
  /// choices.
  DualEncoder(const DualEncoderConfig& config, Rng& rng);

  /// Logits (B, classes) of the pairs of the i-th sequence of `first` and of `second`. Throws `Error` for another
  /// number of sequences in one than in the other, and as `SequenceEncoder` does; the sequences of `second` count on
  /// from those of `first`.
  Tensor operator()(const Packed& first, const Packed& second,
                    const std::optional<nn::Training>& training = std::nullopt) const;
  /// The same for ids (B, N₁) and (B, N₂), of which the first lengths[i] of row i count (none given: all). They are
  /// packed: padding costs nothing, and may be anything.
  Tensor operator()(const Tensor& first, const Tensor& second, const std::vector<std::int64_t>& first_lengths = {},
                    const std::vector<std::int64_t>& second_lengths = {},
                    const std::optional<nn::Training>& training = std::nullopt) const;

  /// As in `Classifier`.
  Tensor orthogonality_penalty() const { return nn::orthogonality_penalty(encoder.blocks); }

  static void visit(auto& self, auto&& f) {
    SequenceEncoder::visit(self.encoder, f);
    f("head", self.head);
  }
};

}  // namespace lintel::models
