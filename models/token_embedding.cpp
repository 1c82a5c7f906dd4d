#include <lintel/autograd/tape.hpp>
#include <lintel/models/token_embedding.hpp>
#include <lintel/nn/attention_memory.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/index.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel::models {
namespace token_embedding_detail {

void check_not_empty(const Sequences& sequences) {
  if (sequences.count() == 0) fail("model: the batch holds no sequence, at least one wanted");
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    if (sequences.length(i) == 0) fail("model: sequence ", i, " is empty, at least one token wanted");
  }
}

/// `lengths` are the tokens before each sequence, or undefined.
void check_lengths(const Sequences& sequences, const Tensor& lengths, std::int64_t max_length) {
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const std::int64_t before = lengths.defined() ? lengths.data<std::int64_t>()[i] : 0;
    const std::int64_t length = before + sequences.length(i);
    if (length > max_length) fail("model: sequence ", i, " has ", length, " tokens, at most ", max_length, " wanted");
  }
}

/// The packed layout with one more row in front of every sequence.
Sequences with_a_row_in_front(const Tensor& offsets) {
  const Tensor shifted = empty(offsets.shape(), DType::int64);
  auto* const to = write<std::int64_t>(shifted, "offsets");
  const auto from = offsets.values<std::int64_t>();
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] + static_cast<std::int64_t>(i);
  return Sequences::packed(shifted);
}

/// How many tokens of its sequence are behind each row; 0 in rows outside of sequences.
Tensor rows_behind(const Sequences& sequences) {
  const Tensor behind = zeros({sequences.rows()}, DType::int64);
  auto* const to = write<std::int64_t>(behind, "rows_behind");
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const std::int64_t length = sequences.length(i);
    for (std::int64_t j = 0; j < length; ++j) to[sequences.begin(i) + j] = length - 1 - j;
  }
  return behind;
}

}  // namespace token_embedding_detail

Sequences packed_sequences(const char* model, const Packed& packed) {
  const Sequences sequences = Sequences::packed(packed.offsets);
  if (packed.ids.rank() == 1 && packed.ids.size() == sequences.rows()) return sequences;
  fail(model, ": ids have shape ", packed.ids.shape(), ", (", sequences.rows(), ",) wanted as the offsets tell");
}

TokenEmbedding::TokenEmbedding(const TokenEmbeddingConfig& config, Rng& rng)
    : tokens(config.vocab, config.hidden, rng) {
  const auto table = [&] { return nn::Embedding(config.max_length, config.hidden, rng, {.standard_deviation = 0}); };
  if (config.learned_positions) positions = table();
  if (config.learned_positions && config.from_end) from_end = table();
  if (config.cls) cls = nn::Embedding(1, config.hidden, rng).weight;
}

EmbeddedTokens TokenEmbedding::operator()(const Packed& packed) const {
  const LayerScope scope("embedding");
  const Sequences sequences = packed_sequences("model", packed);
  token_embedding_detail::check_not_empty(sequences);
  const Tensor vectors = embed(packed.ids, sequences);
  if (!cls.defined()) return {vectors, sequences};
  const Sequences after = token_embedding_detail::with_a_row_in_front(packed.offsets);
  return {put_cls_in_front(vectors, sequences, after), after};
}

EmbeddedTokens TokenEmbedding::operator()(const Tensor& ids, const std::vector<std::int64_t>& lengths) const {
  const LayerScope scope("embedding");
  if (ids.rank() != 2) fail("model: ids have shape ", ids.shape(), ", (B, N) wanted");
  const std::int64_t batch = ids.size(0), length = ids.size(1), hidden = tokens.weight.size(1);
  const Sequences sequences = Sequences::padded(batch, length, lengths);
  token_embedding_detail::check_not_empty(sequences);
  const Tensor vectors = embed(reshape(ids, {batch * length}), sequences);
  if (!cls.defined()) return {reshape(vectors, {batch, length, hidden}), sequences};
  std::vector<std::int64_t> longer = lengths;
  for (std::int64_t& each : longer) ++each;
  const Sequences after = Sequences::padded(batch, length + 1, longer);
  return {reshape(put_cls_in_front(vectors, sequences, after), {batch, length + 1, hidden}), after};
}

EmbeddedTokens TokenEmbedding::read_on(const Packed& packed, const Tensor& lengths) const {
  const LayerScope scope("embedding");
  const Sequences sequences = packed_sequences("model", packed);
  return {embed(packed.ids, sequences, lengths), sequences};
}

Tensor TokenEmbedding::embed(const Tensor& ids, const Sequences& sequences, const Tensor& lengths) const {
  if (!positions) return tokens(ids);
  token_embedding_detail::check_lengths(sequences, lengths, positions->weight.size(0));
  const Tensor vectors = tokens(ids) + (*positions)(nn::positions_of_rows(lengths, sequences));
  return from_end ? vectors + (*from_end)(token_embedding_detail::rows_behind(sequences)) : vectors;
}

/// Every row of the result is a row of [vectors; cls]: the vector that was there before, or cls. Padding takes cls too.
Tensor TokenEmbedding::put_cls_in_front(const Tensor& vectors, const Sequences& before, const Sequences& after) const {
  const std::int64_t cls_row = vectors.size(0);
  const Tensor source = empty({after.rows()}, DType::int64);
  auto* const row = write<std::int64_t>(source, "put_cls_in_front");
  for (std::int64_t i = 0; i < after.rows(); ++i) row[i] = cls_row;
  for (std::int64_t i = 0; i < before.count(); ++i) {
    for (std::int64_t j = 0; j < before.length(i); ++j) row[after.begin(i) + 1 + j] = before.begin(i) + j;
  }
  return embedding(concat({vectors, cls}, 0), source);
}

namespace {

/// The vectors at row_of(sequence) of each sequence.
template <class RowOf>
Tensor one_vector_each(const EmbeddedTokens& embedded, RowOf row_of) {
  const Sequences& sequences = embedded.sequences;
  const Tensor rows = empty({sequences.count()}, DType::int64);
  auto* const row = write<std::int64_t>(rows, "one_vector_each");
  for (std::int64_t i = 0; i < sequences.count(); ++i) row[i] = row_of(i);
  const std::int64_t hidden = embedded.vectors.size(-1);
  return embedding(reshape(embedded.vectors, {sequences.rows(), hidden}), rows);
}

}  // namespace

Tensor first_vectors(const EmbeddedTokens& embedded) {
  return one_vector_each(embedded, [&](std::int64_t i) { return embedded.sequences.begin(i); });
}

Tensor last_vectors(const EmbeddedTokens& embedded) {
  return one_vector_each(
      embedded, [&](std::int64_t i) { return embedded.sequences.begin(i) + embedded.sequences.length(i) - 1; });
}

}  // namespace lintel::models
