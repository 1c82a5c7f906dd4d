#include <lintel/train/build_model.hpp>

#include <lintel/train/streams.hpp>

namespace lintel::train {
namespace {

Rng weight_random(const RunConfig& config) { return Rng(stream_key(config.seed, RunStream::weights)); }

nn::AttentionConfig attention_config(const RunConfig& config) {
  if (config.attention == "softmax") return nn::SoftmaxAttentionConfig{};
  nn::KernelAttentionConfig kernel;
  kernel.feature_map = config.feature_map;
  kernel.layers = static_cast<int>(config.kernel_layers);
  kernel.bias = config.kernel_bias;
  kernel.dropout = config.kernel_dropout;
  return kernel;
}

}  // namespace

models::Classifier build_classifier(const RunConfig& config, const RunVocabulary& vocabulary) {
  models::ClassifierConfig model;
  model.vocab = vocabulary.tokeniser.vocabulary_size();
  model.classes = vocabulary.labels.value().size();
  model.max_length = config.max_length;
  model.hidden = config.hidden;
  model.mlp = config.mlp;
  model.heads = config.heads;
  model.blocks = config.blocks;
  model.attention = attention_config(config);
  model.dropout = config.dropout;
  model.pooling = config.pooling;
  Rng random = weight_random(config);
  return models::Classifier(model, random);
}

models::LanguageModel build_language_model(const RunConfig& config, const RunVocabulary& vocabulary) {
  models::LanguageModelConfig model;
  model.vocab = vocabulary.tokeniser.vocabulary_size();
  model.max_length = config.max_length;
  model.hidden = config.hidden;
  model.mlp = config.mlp;
  model.heads = config.heads;
  model.blocks = config.blocks;
  model.attention = attention_config(config);
  model.dropout = config.dropout;
  Rng random = weight_random(config);
  return models::LanguageModel(model, random);
}

}  // namespace lintel::train
