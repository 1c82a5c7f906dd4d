#include <lintel/autograd/tape.hpp>
#include <lintel/core/choices.hpp>
#include <lintel/models/dual_encoder.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel::models {
namespace dual_encoder_detail {

DualEncoderConfig completed(const DualEncoderConfig& given) {
  const DualEncoderConfig config = completed_config("dual_encoder", given);
  if (config.mlp < 2) fail("dual_encoder: mlp is ", config.mlp, ", at least 2 wanted: the head halves it");
  check_choice("dual_encoder", "interaction", config.interaction, {"none", "nli"});
  return config;
}

using TokenLists = std::vector<std::vector<std::int64_t>>;

void append(TokenLists& lists, const Tensor& ids, const Sequences& sequences) {
  const auto values = ids.values<std::int64_t>();
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    lists.emplace_back(values.begin() + sequences.begin(i), values.begin() + sequences.end(i));
  }
}

Sequences padded_rows(const Tensor& ids, const std::vector<std::int64_t>& lengths) {
  if (ids.rank() != 2) fail("dual_encoder: ids have shape ", ids.shape(), ", (B, N) wanted");
  return Sequences::padded(ids.size(0), ids.size(1), lengths);
}

Packed pack_rows(const Tensor& ids, const std::vector<std::int64_t>& lengths) {
  TokenLists lists;
  append(lists, ids, padded_rows(ids, lengths));
  return pack(lists);
}

}  // namespace dual_encoder_detail

PairHead::PairHead(const DualEncoderConfig& config, Rng& rng)
    : dense1((config.interaction == "nli" ? 4 : 2) * config.hidden, config.mlp, rng, {!config.options.bias_free}),
      dense2(config.mlp, config.mlp / 2, rng, {!config.options.bias_free}),
      out(config.mlp / 2, config.classes, rng, {!config.options.bias_free}),
      interaction(config.interaction) {}

Tensor PairHead::operator()(const Tensor& first, const Tensor& second) const {
  std::vector<Tensor> seen = {first, second};
  if (interaction == "nli") {
    seen.push_back(first * second);
    seen.push_back(first - second);
  }
  return out(dense2(dense1(concat(seen, -1), Activation::relu), Activation::relu));
}

DualEncoder::DualEncoder(const DualEncoderConfig& given, Rng& rng)
    : config(dual_encoder_detail::completed(given)), encoder(config, false, rng), head(config, rng) {}

// Both sides go through the encoder as one batch: a larger one is faster, and dropout masks differ between the sides.
Tensor DualEncoder::operator()(const Packed& first, const Packed& second,
                               const std::optional<nn::Training>& training) const {
  const Sequences first_sequences = packed_sequences("dual_encoder", first);
  const Sequences second_sequences = packed_sequences("dual_encoder", second);
  const std::int64_t pairs = first_sequences.count();
  if (second_sequences.count() != pairs) {
    fail("dual_encoder: ", pairs, " first and ", second_sequences.count(), " second sequences, as many of both wanted");
  }
  dual_encoder_detail::TokenLists lists;
  dual_encoder_detail::append(lists, first.ids, first_sequences);
  dual_encoder_detail::append(lists, second.ids, second_sequences);
  const Tensor vectors = encoder(pack(lists), training);  // (2·pairs, hidden)
  const LayerScope scope("head");
  return head(slice(vectors, 0, 0, pairs), slice(vectors, 0, pairs, 2 * pairs));
}

Tensor DualEncoder::operator()(const Tensor& first, const Tensor& second,
                               const std::vector<std::int64_t>& first_lengths,
                               const std::vector<std::int64_t>& second_lengths,
                               const std::optional<nn::Training>& training) const {
  return (*this)(dual_encoder_detail::pack_rows(first, first_lengths),
                 dual_encoder_detail::pack_rows(second, second_lengths), training);
}

}  // namespace lintel::models
