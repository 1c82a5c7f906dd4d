// What may stand between the projections of an attention and its heads.
#pragma once

#include <cstdint>

#include <lintel/core/tensor.hpp>
#include <lintel/nn/attention_state.hpp>
#include <lintel/nn/norm.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel::nn {

/// RMS norms of the queries and keys of every head, before positions turn them: the size of what is compared then
/// depends on the weights of these norms alone. Source: Henry et al., "Query-key normalization for Transformers",
/// arXiv 2010.04245, with the norm of Llama's kind.
struct QueryKeyNorm {
  RMSNorm q, k;

  explicit QueryKeyNorm(std::int64_t head_dim) : q(head_dim), k(head_dim) {}

  static void visit(auto& self, auto&& f) {
    f("q", self.q);
    f("k", self.k);
  }
};

/// A `short_convolution` of the projected queries, keys and values: a token's own and those of the few before it.
/// Starts as the identity.
struct ShortConvolutions {
  Tensor q, k, v;  ///< (width, channels)

  /// Throws `Error` for a width below 1.
  ShortConvolutions(std::int64_t width, std::int64_t query_channels, std::int64_t key_channels);

  /// What must be remembered of streams that have read nothing.
  ConvolutionTails empty_tails(std::int64_t streams) const;

  static void visit(auto& self, auto&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
  }
};

/// A convolution behind earlier rows, and the last rows of each sequence then.
struct ContinuedConvolution {
  Tensor result, tail;
};

/// `short_convolution` of x (T, channels), where sequence i goes on behind the rows tail[i] (width − 1, channels).
/// Nothing is recorded on tapes. Throws `Error` for a tail of another shape or type, one of another layer.
ContinuedConvolution continue_convolution(const Tensor& x, const Tensor& weight, const Sequences& sequences,
                                          const Tensor& tail);

}  // namespace lintel::nn
