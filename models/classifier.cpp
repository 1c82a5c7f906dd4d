#include <lintel/autograd/tape.hpp>
#include <lintel/models/classifier.hpp>

namespace lintel::models {

Classifier::Classifier(const ClassifierConfig& given, Rng& rng)
    : config(completed_config("classifier", given)),
      encoder(config, true, rng),
      head(config.hidden, config.mlp, config.classes, rng, {.bias = !config.options.bias_free}) {}

Tensor Classifier::operator()(const Packed& tokens, const std::optional<nn::Training>& training) const {
  return classify(encoder(tokens, training));
}

Tensor Classifier::operator()(const Tensor& ids, const std::vector<std::int64_t>& lengths,
                              const std::optional<nn::Training>& training) const {
  return classify(encoder(ids, lengths, training));
}

Tensor Classifier::classify(const Tensor& pooled) const {
  const LayerScope scope("head");
  return head(pooled);
}

}  // namespace lintel::models
