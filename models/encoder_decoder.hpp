// The encoder–decoder Transformer: it reads one sequence and writes another.
#pragma once

#include <optional>
#include <vector>

#include <lintel/models/token_embedding.hpp>
#include <lintel/models/transformer_options.hpp>
#include <lintel/nn/decoder_block.hpp>

namespace lintel::models {

struct EncoderDecoderConfig {
  std::int64_t source_vocab = 0;  ///< ids of source tokens are 0 … source_vocab − 1
  std::int64_t target_vocab = 0;  ///< ids of target tokens are 0 … target_vocab − 1
  std::int64_t max_length = 0;    ///< tokens of the longest source and target, where positions are learned
  std::int64_t hidden = 128;      ///< a multiple of heads
  std::int64_t mlp = 0;           ///< 0: four times hidden
  std::int64_t heads = 4;
  std::int64_t encoder_blocks = 2;
  std::int64_t decoder_blocks = 2;
  nn::AttentionConfig attention = nn::KernelAttentionConfig{};  ///< of encoder, decoder, and from the one to the other
  double dropout = 0;  ///< on the embeddings, on what attentions add, and in the feedforward networks
  TransformerOptions options = {};
  bool tied_output = false;  ///< the logits are scalar products with the embeddings of the target tokens
};

/// What the decoder remembers while it writes, for a batch of streams.
struct EncoderDecoderState {
  std::vector<nn::DecoderBlockState> blocks;

  std::int64_t streams() const { return blocks.empty() ? 0 : blocks.front().attention.streams(); }
  /// Bytes that hold something of the tokens read and written; see `nn::AttentionState`.
  std::int64_t bytes() const;
  /// See `nn::AttentionState`.
  EncoderDecoderState select(const std::vector<std::int64_t>& streams) const;
};

struct GreedyOptions {
  std::int64_t max_tokens = 0;           ///< of a target; it ends there if the model has not ended it
  std::vector<std::int64_t> never = {};  ///< tokens that are not written
};

/// Embedding, pre-norm blocks, a last norm.
struct Encoder {
  TokenEmbedding embedding;
  std::vector<nn::TransformerBlock> blocks;
  nn::Norm norm;

  static void visit(auto& self, auto&& f) {
    f("embedding", self.embedding);
    f("blocks", self.blocks);
    f("norm", self.norm);
  }
};

/// Embedding, pre-norm blocks that also attend to the encoder's output, a last norm, Linear(hidden → target_vocab + 1).
struct Decoder {
  TokenEmbedding embedding;
  std::vector<nn::DecoderBlock> blocks;
  nn::Norm norm;
  std::optional<nn::Linear> head;  ///< none with tied_output

  static void visit(auto& self, auto&& f) {
    f("embedding", self.embedding);
    f("blocks", self.blocks);
    f("norm", self.norm);
    f("head", self.head);
  }
};

/// The probability of a target given a source, token by token. The id `target_vocab` is the boundary: the decoder reads
/// it in front of a target, and predicts it behind one.
/// Source: Vaswani et al., "Attention is all you need", arXiv 1706.03762, in the pre-norm form; one token for begin and
/// end as in Ott et al., "fairseq", arXiv 1904.01038.
struct EncoderDecoder {
  EncoderDecoderConfig config;
  Encoder encoder;
  Decoder decoder;
  nn::Dropout dropout;  ///< on the embeddings

  /// Throws `Error` for a size below 1, heads that do not divide hidden, a name that is not among the choices, or
  /// options that do not fit each other.
  EncoderDecoder(const EncoderDecoderConfig& config, Rng& rng);

  /// Logits (T + B, target_vocab + 1) for B targets of T tokens in all: those of a target are one more row than it has
  /// tokens, row i the prediction of token i, and the last that of the boundary. Targets may be empty. Throws `Error`
  /// for another number of sources than of targets, for no source or an empty one, for one longer than max_length where
  /// positions are learned, and for an id outside of the vocabulary.
  Tensor operator()(const Packed& source, const Packed& target,
                    const std::optional<nn::Training>& training = std::nullopt) const;

  /// The mean cross-entropy, in nats, of the tokens of the targets and of the boundaries behind them. The logits are
  /// never held as a whole.
  Tensor loss(const Packed& source, const Packed& target, const std::optional<nn::Training>& training = std::nullopt,
              double label_smoothing = 0) const;

  /// Reads the sources; stream i of the state is about to write the target of source i.
  EncoderDecoderState start(const Packed& source) const;
  /// Reads a target token of each stream, ids int64 (streams), the first of them the boundary, and returns the logits
  /// of the token behind it: (streams, target_vocab + 1), those of the call above up to rounding. With kernel attention
  /// in time and memory that depend neither on the source's length nor on the tokens written.
  Tensor step(const Tensor& ids, EncoderDecoderState& state) const;
  /// For each source the target that takes the likeliest token at each step, without the boundary.
  std::vector<std::vector<std::int64_t>> greedy(const Packed& source, const GreedyOptions& options) const;

  std::int64_t boundary() const { return config.target_vocab; }

  /// As in `Classifier`.
  Tensor orthogonality_penalty() const;

  static void visit(auto& self, auto&& f) {
    f("encoder", self.encoder);
    f("decoder", self.decoder);
  }

 private:
  EmbeddedTokens encode(const Packed& source, const std::optional<nn::Training>& training = std::nullopt) const;
  /// The vectors behind the decoder's last block, of targets with a boundary in front.
  Tensor decode(const EmbeddedTokens& encoded, const Packed& read, const std::optional<nn::Training>& training) const;
  Tensor logits_of(const Tensor& x) const;
};

}  // namespace lintel::models
