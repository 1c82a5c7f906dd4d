#include <lintel/autograd/tape.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/nn/loss.hpp>

namespace lintel::models {
namespace language_model_detail {

/// The config with what it leaves open filled in.
LanguageModelConfig completed(LanguageModelConfig config) {
  if (config.vocab < 1) fail("language_model: vocab is ", config.vocab, ", at least 1 wanted");
  if (config.max_length < 1) fail("language_model: max_length is ", config.max_length, ", at least 1 wanted");
  if (config.hidden < 1) fail("language_model: hidden is ", config.hidden, ", at least 1 wanted");
  if (config.mlp < 0) fail("language_model: mlp is ", config.mlp, ", at least 1 wanted, or 0 for four times hidden");
  if (config.mlp == 0) config.mlp = 4 * config.hidden;
  return config;
}

TokenEmbeddingConfig embedding_config(const LanguageModelConfig& config) {
  return {.vocab = config.vocab, .max_length = config.max_length, .hidden = config.hidden, .cls = false};
}

nn::TransformerBlockConfig block_config(const LanguageModelConfig& config) {
  return {.hidden = config.hidden,
          .mlp = config.mlp,
          .heads = config.heads,
          .attention = config.attention,
          .dropout = config.dropout};
}

/// For every token the one after it in its sequence, and `no_token` for the last: int64 (T).
Tensor next_tokens(const Packed& tokens, std::int64_t no_token) {
  const Sequences sequences = Sequences::packed(tokens.offsets);
  const Tensor next = empty(tokens.ids.shape(), DType::int64);
  auto* const to = write<std::int64_t>(next, "next_tokens");
  const auto* const ids = tokens.ids.data<std::int64_t>();
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const std::int64_t last = sequences.end(i) - 1;
    for (std::int64_t row = sequences.begin(i); row < last; ++row) to[row] = ids[row + 1];
    if (sequences.length(i) > 0) to[last] = no_token;
  }
  return next;
}

}  // namespace language_model_detail

LanguageModel::LanguageModel(const LanguageModelConfig& given, Rng& rng)
    : config(language_model_detail::completed(given)),
      embedding(language_model_detail::embedding_config(config), rng),
      blocks(nn::make_blocks(config.blocks, language_model_detail::block_config(config), rng)),
      norm(config.hidden),
      head(config.hidden, config.vocab, rng) {}

Tensor LanguageModel::vectors(const Packed& tokens, const std::optional<nn::Training>& training) const {
  const EmbeddedTokens embedded = embedding(tokens);
  const Tensor x = nn::apply_blocks(blocks, embedded.vectors, embedded.sequences, true, training);
  const LayerScope scope("head");
  return norm(x);
}

Tensor LanguageModel::operator()(const Packed& tokens, const std::optional<nn::Training>& training) const {
  const Tensor x = vectors(tokens, training);
  const LayerScope scope("head");
  return head(x);
}

Tensor LanguageModel::loss(const Packed& tokens, const std::optional<nn::Training>& training) const {
  constexpr std::int64_t no_token = -100;
  const Tensor x = vectors(tokens, training);
  // As many tokens as sequences, none empty: each has one token, and the mean would be over nothing.
  if (x.size(0) == tokens.offsets.size() - 1) {
    fail("language_model: loss of ", x.size(0), " sequences of one token each, at least one of two tokens wanted");
  }
  const LayerScope scope("head");
  return nn::linear_cross_entropy(x, head.weight, head.bias, language_model_detail::next_tokens(tokens, no_token),
                                  {.ignore_index = no_token});
}

}  // namespace lintel::models
