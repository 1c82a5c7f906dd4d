#include <lintel/autograd/tape.hpp>
#include <lintel/models/classifier.hpp>

namespace lintel::models {
namespace classifier_detail {

/// The config with what it leaves open filled in.
ClassifierConfig completed(ClassifierConfig config) {
  if (config.vocab < 1) fail("classifier: vocab is ", config.vocab, ", at least 1 wanted");
  if (config.classes < 1) fail("classifier: classes is ", config.classes, ", at least 1 wanted");
  check_options("classifier", config.options);
  const bool learned = config.options.positions == "learned";
  if (learned && config.max_length < 1) fail("classifier: max_length is ", config.max_length, ", at least 1 wanted");
  if (config.hidden < 1) fail("classifier: hidden is ", config.hidden, ", at least 1 wanted");
  if (config.mlp < 0) fail("classifier: mlp is ", config.mlp, ", at least 1 wanted, or 0 for four times hidden");
  if (config.pooling != "cls" && config.pooling != "mean") {
    fail("classifier: unknown pooling \"", config.pooling, "\", one of cls, mean wanted");
  }
  if (config.mlp == 0) config.mlp = 4 * config.hidden;
  return config;
}

TokenEmbeddingConfig embedding_config(const ClassifierConfig& config) {
  return {.vocab = config.vocab,
          .max_length = config.max_length,
          .hidden = config.hidden,
          .cls = config.pooling == "cls",
          .learned_positions = config.options.positions == "learned"};
}

}  // namespace classifier_detail

Classifier::Classifier(const ClassifierConfig& given, Rng& rng)
    : config(classifier_detail::completed(given)),
      embedding(classifier_detail::embedding_config(config), rng),
      blocks(nn::make_blocks(config.blocks, block_config(config), rng)),
      norm(config.hidden, norm_options(config.options)),
      head(config.hidden, config.mlp, config.classes, rng, {.bias = !config.options.bias_free}) {}

Tensor Classifier::operator()(const Packed& tokens, const std::optional<nn::Training>& training) const {
  return classify(embedding(tokens), training);
}

Tensor Classifier::operator()(const Tensor& ids, const std::vector<std::int64_t>& lengths,
                              const std::optional<nn::Training>& training) const {
  return classify(embedding(ids, lengths), training);
}

Tensor Classifier::classify(const EmbeddedTokens& embedded, const std::optional<nn::Training>& training) const {
  const Sequences& sequences = embedded.sequences;
  const Tensor x = nn::apply_blocks(blocks, embedded.vectors, sequences, false, training);
  const LayerScope scope("head");
  // The norm works row by row, so CLS rows can be taken before it.
  return config.pooling == "cls" ? head(norm(first_vectors({x, sequences}))) : head(segment_mean(norm(x), sequences));
}

}  // namespace lintel::models
