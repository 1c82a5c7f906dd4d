#include <lintel/train/build_model.hpp>

#include <lintel/train/streams.hpp>

namespace lintel::train {
namespace {

Rng weight_random(const RunConfig& config) { return Rng(stream_key(config.seed, RunStream::weights)); }

nn::AttentionConfig attention_config(const RunConfig& config) {
  if (config.attention == "softmax") return nn::SoftmaxAttentionConfig{};
  nn::KernelAttentionConfig kernel;
  kernel.feature_map = config.feature_map;
  kernel.normaliser = config.normaliser;
  kernel.layers = static_cast<int>(config.kernel_layers);
  kernel.bias = config.kernel_bias;
  kernel.dropout = config.kernel_dropout;
  return kernel;
}

models::TransformerOptions transformer_options(const RunConfig& config) {
  return {.positions = config.positions,
          .rotary_base = config.rotary_base,
          .norm = config.norm,
          .norm_epsilon = config.norm_epsilon,
          .feed_forward = config.feed_forward,
          .qk_norm = config.qk_norm,
          .convolution = config.convolution,
          .kv_heads = config.kv_heads,
          .bias_free = config.bias_free,
          .checkpoint = config.checkpoint};
}

/// The settings that models have in common.
template <class ModelConfig>
void set_transformer(ModelConfig& model, const RunConfig& config) {
  model.max_length = config.max_length;
  model.hidden = config.hidden;
  model.mlp = config.mlp;
  model.heads = config.heads;
  model.attention = attention_config(config);
  model.dropout = config.dropout;
  model.options = transformer_options(config);
}

template <class ModelConfig>
ModelConfig classifier_config(const RunConfig& config, const RunVocabulary& vocabulary) {
  ModelConfig model;
  model.vocab = vocabulary.tokeniser.vocabulary_size();
  model.classes = vocabulary.labels.value().size();
  set_transformer(model, config);
  model.blocks = config.blocks;
  model.pooling = config.pooling;
  model.positions_from_end = config.positions_from_end;
  model.causal = config.causal;
  return model;
}

}  // namespace

RowClassifier build_classifier(const RunConfig& config, const RunVocabulary& vocabulary) {
  Rng random = weight_random(config);
  if (config.task == "match") {
    auto model = classifier_config<models::DualEncoderConfig>(config, vocabulary);
    model.interaction = config.interaction;
    return {models::DualEncoder(model, random)};
  }
  return {models::Classifier(classifier_config<models::ClassifierConfig>(config, vocabulary), random)};
}

models::LanguageModel build_language_model(const RunConfig& config, const RunVocabulary& vocabulary) {
  models::LanguageModelConfig model;
  model.vocab = vocabulary.tokeniser.vocabulary_size();
  set_transformer(model, config);
  model.blocks = config.blocks;
  model.tied_output = config.tied_output;
  Rng random = weight_random(config);
  return models::LanguageModel(model, random);
}

models::EncoderDecoder build_encoder_decoder(const RunConfig& config, const RunVocabulary& vocabulary) {
  models::EncoderDecoderConfig model;
  model.source_vocab = vocabulary.tokeniser.vocabulary_size();
  model.target_vocab = vocabulary.target_tokeniser.value().vocabulary_size();
  set_transformer(model, config);
  model.encoder_blocks = config.blocks;
  model.decoder_blocks = config.decoder_blocks > 0 ? config.decoder_blocks : config.blocks;
  model.tied_output = config.tied_output;
  Rng random = weight_random(config);
  return models::EncoderDecoder(model, random);
}

RunConfig settings_of(const models::LanguageModelConfig& model) {
  RunConfig config;
  config.task = "lm";
  config.max_length = model.max_length;
  config.hidden = model.hidden;
  config.mlp = model.mlp;
  config.heads = model.heads;
  config.blocks = model.blocks;
  config.dropout = model.dropout;
  config.attention = "softmax";
  if (const auto* kernel = std::get_if<nn::KernelAttentionConfig>(&model.attention)) {
    config.attention = "kernel";
    config.feature_map = kernel->feature_map;
    config.normaliser = kernel->normaliser;
    config.kernel_layers = kernel->layers;
    config.kernel_bias = kernel->bias;
    config.kernel_dropout = kernel->dropout;
  }
  config.kv_heads = model.options.kv_heads;
  config.qk_norm = model.options.qk_norm;
  config.convolution = model.options.convolution;
  config.positions = model.options.positions;
  config.rotary_base = model.options.rotary_base;
  config.norm = model.options.norm;
  config.norm_epsilon = model.options.norm_epsilon;
  config.feed_forward = model.options.feed_forward;
  config.bias_free = model.options.bias_free;
  config.tied_output = model.tied_output;
  return config;
}

}  // namespace lintel::train
