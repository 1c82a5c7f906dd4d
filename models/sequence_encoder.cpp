#include <lintel/autograd/tape.hpp>
#include <lintel/models/sequence_encoder.hpp>

namespace lintel::models {

Tensor SequenceEncoder::pooled(const EmbeddedTokens& embedded, const std::optional<nn::Training>& training) const {
  const Sequences& sequences = embedded.sequences;
  const Tensor x = nn::apply_blocks(blocks, embedded.vectors, sequences, causal, training);
  const LayerScope scope("pooling");
  auto normed = [&](const Tensor& rows) { return norm ? (*norm)(rows) : rows; };
  // The norm works row by row, so the rows of single tokens can be taken before it.
  if (pooling == "cls") return normed(first_vectors({x, sequences}));
  if (pooling == "last") return normed(last_vectors({x, sequences}));
  return segment_mean(normed(x), sequences);
}

}  // namespace lintel::models
