// From token ids to the vectors that a stack of blocks works on.
#pragma once

#include <optional>
#include <vector>

#include <lintel/nn/embedding.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel::models {

/// Vectors of tokens, packed (T, hidden) or padded (B, N, hidden), and which of them make up which sequence.
struct EmbeddedTokens {
  Tensor vectors;
  Sequences sequences;
};

/// Where the sequences of `packed` lie. Throws an `Error` that begins with `model` unless there are as many ids as its
/// offsets tell.
Sequences packed_sequences(const char* model, const Packed& packed);

struct TokenEmbeddingConfig {
  std::int64_t vocab = 0;
  std::int64_t max_length = 0;
  std::int64_t hidden = 0;
  bool cls = false;               ///< put a trained vector in front of every sequence
  bool learned_positions = true;  ///< otherwise vectors do not know their place, and max_length has no meaning
  bool from_end = false;          ///< whether learned positions are counted from the end of a sequence too
};

/// A table of tokens plus, optionally, tables of positions and a trained CLS vector, without a position, in front.
struct TokenEmbedding {
  nn::Embedding tokens;                    ///< (vocab, hidden)
  std::optional<nn::Embedding> positions;  ///< (max_length, hidden), starts at zero
  std::optional<nn::Embedding> from_end;   ///< as `positions`; row 0 is that of the last token
  Tensor cls;                              ///< (1, hidden), or undefined

  /// Throws `Error` for a size below 1; max_length may be 0 where positions are not learned.
  TokenEmbedding(const TokenEmbeddingConfig& config, Rng& rng);

  /// ids (T) → (T, hidden), or (T + B, hidden) with CLS. Throws `Error` for no sequence, an empty one, one longer than
  /// max_length where positions are learned, or an id outside of the vocabulary.
  EmbeddedTokens operator()(const Packed& packed) const;
  /// ids (B, N), of which the first lengths[i] of row i count (none given: all) → (B, N, hidden), or (B, N + 1, hidden)
  /// with CLS. Throws as above; padding must be ids of the vocabulary too.
  EmbeddedTokens operator()(const Tensor& ids, const std::vector<std::int64_t>& lengths) const;

  /// ids (T) → (T, hidden) without CLS, where sequence i, which may be empty, goes on after lengths[i] tokens
  /// (int64 (B)). Throws as above otherwise.
  EmbeddedTokens read_on(const Packed& packed, const Tensor& lengths) const;

  static void visit(auto& self, auto&& f) {
    f("tokens", self.tokens);
    f("positions", self.positions);
    f("from_end", self.from_end);
    f("cls", self.cls);
  }

 private:
  Tensor embed(const Tensor& ids, const Sequences& sequences, const Tensor& lengths = {}) const;
  Tensor put_cls_in_front(const Tensor& vectors, const Sequences& before, const Sequences& after) const;
};

/// The first vector of every sequence: (B, hidden).
Tensor first_vectors(const EmbeddedTokens& embedded);

/// Those of the last tokens.
Tensor last_vectors(const EmbeddedTokens& embedded);

}  // namespace lintel::models
