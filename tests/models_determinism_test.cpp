// The same seed gives the same bits, with any number of threads.
#include <doctest/doctest.h>

#include <lintel/core/parallel.hpp>
#include <lintel/models/classifier.hpp>
#include <lintel/models/dual_encoder.hpp>
#include <lintel/models/encoder_decoder.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/nn/clip.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/nn/schedule.hpp>

#include "module_helpers.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

constexpr std::int64_t vocab = 20, longest = 400;

/// About 2,000 random tokens: enough that seven threads are worth waking.
Batch random_batch(Rng& rng) {
  std::vector<std::vector<std::int64_t>> sequences(10);
  std::vector<std::int64_t> labels;
  for (auto& sequence : sequences) {
    const std::int64_t length = 1 + rng.below(longest);
    for (std::int64_t i = 0; i < length; ++i) sequence.push_back(rng.below(vocab));
    labels.push_back(rng.below(10));
  }
  return {pack(sequences), Tensor({10}, labels)};
}

template <class Model>
const nn::TransformerBlock& first_block(const Model& model) {
  if constexpr (requires { model.encoder; }) {
    return model.encoder.blocks[0];
  } else {
    return model.blocks[0];
  }
}
const nn::TransformerBlock& first_block(const models::EncoderDecoder& model) { return model.encoder.blocks[0]; }

/// Checks that a layer of `model`, given as many rows as a batch has, keeps all threads busy, so that a comparison
/// between thread counts compares something.
template <class Model>
void check_workers(const Model& model, std::int64_t rows) {
  parallel_for(7, 1e6, [](std::int64_t) {});
  if (threads_used_last() == 1 && threads() > 1) {
    MESSAGE("SKIPPED: this build has no threads");
    return;
  }
  std::get<nn::FeedForward>(first_block(model).feed_forward.kind).up(ones({rows, 64}));
  CHECK(threads_used_last() == threads());
}

/// The weights after twenty steps on random data, with all that training has: dropout, clipping, weight decay.
template <class Model, class Loss>
Model train(Model model, const Loss& loss_of) {
  nn::AdamW optimiser(model, {.weight_decay = 0.1});
  const auto schedule = nn::Schedule::warmup_cosine(1e-3, 5, 20);
  Rng data(7);
  for (std::int64_t step = 1; step <= 20; ++step) {
    const Batch batch = random_batch(data);
    if (step == 1) check_workers(model, batch.tokens.ids.size());
    Tape tape(model);
    Gradients gradients = tape.gradients(loss_of(model, batch, nn::Training{5, step}));
    nn::clip_global_norm(gradients, 1);
    optimiser.step(gradients, schedule(step));
  }
  return model;
}

/// The config of a small model, sizes of vocabularies and stacks left open.
template <class Config>
Config small_config(const nn::AttentionConfig& attention) {
  Config config;
  config.max_length = longest;
  config.hidden = 64;
  config.mlp = 128;
  config.heads = 4;
  config.attention = attention;
  config.dropout = 0.1;
  return config;
}

models::Classifier train_classifier(const nn::AttentionConfig& attention, const std::string& pooling,
                                    int thread_count) {
  const WithThreads scope(thread_count);
  Rng rng(1);
  auto config = small_config<models::ClassifierConfig>(attention);
  config.vocab = vocab;
  config.classes = 10;
  config.blocks = 1;
  config.pooling = pooling;
  return train(models::Classifier(config, rng),
               [](const auto& classifier, const Batch& batch, const nn::Training& training) {
                 return nn::cross_entropy(classifier(batch.tokens, training), batch.labels);
               });
}

models::LanguageModel train_language_model(const nn::AttentionConfig& attention, int thread_count) {
  const WithThreads scope(thread_count);
  Rng rng(1);
  auto config = small_config<models::LanguageModelConfig>(attention);
  config.vocab = vocab;
  config.blocks = 1;
  return train(models::LanguageModel(config, rng),
               [](const auto& language_model, const Batch& batch, const nn::Training& training) {
                 return language_model.loss(batch.tokens, training);
               });
}

/// Pairs of the sequences of a batch, which share their labels.
models::DualEncoder train_dual_encoder(const nn::AttentionConfig& attention, int thread_count) {
  const WithThreads scope(thread_count);
  Rng rng(1);
  auto config = small_config<models::DualEncoderConfig>(attention);
  config.vocab = vocab;
  config.classes = 10;
  config.blocks = 1;
  config.interaction = "nli";
  return train(models::DualEncoder(config, rng),
               [](const auto& dual_encoder, const Batch& batch, const nn::Training& training) {
                 return nn::cross_entropy(dual_encoder(batch.tokens, batch.tokens, training), batch.labels);
               });
}

/// Learns to repeat sequences.
models::EncoderDecoder train_encoder_decoder(const nn::AttentionConfig& attention, int thread_count) {
  const WithThreads scope(thread_count);
  Rng rng(1);
  auto config = small_config<models::EncoderDecoderConfig>(attention);
  config.source_vocab = config.target_vocab = vocab;
  config.encoder_blocks = config.decoder_blocks = 1;
  return train(models::EncoderDecoder(config, rng),
               [](const auto& pairs, const Batch& batch, const nn::Training& training) {
                 return pairs.loss(batch.tokens, batch.tokens, training, 0.1);
               });
}

template <class Model>
bool same_weights(const Model& a, const Model& b) {
  const auto left = nn::named_parameters(a), right = nn::named_parameters(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const NamedTensor& x, const NamedTensor& y) { return same_bits(x.tensor, y.tensor); });
}

}  // namespace

TEST_CASE("twenty steps give the same bits with 1, 2 and 7 threads, and in two runs") {
  const std::vector<nn::AttentionConfig> attentions = {
      nn::KernelAttentionConfig{.feature_map = "glu", .layers = 2, .dropout = 0.1},
      nn::KernelAttentionConfig{.feature_map = "lowrank_glu"}, nn::SoftmaxAttentionConfig{}};
  for (const nn::AttentionConfig& attention : attentions) {
    const std::string pooling = attention.index() == 0 ? "mean" : "cls";
    const auto classifier = train_classifier(attention, pooling, 1);
    CHECK(same_weights(classifier, train_classifier(attention, pooling, 1)));
    CHECK(same_weights(classifier, train_classifier(attention, pooling, 2)));
    CHECK(same_weights(classifier, train_classifier(attention, pooling, 7)));
    const auto dual_encoder = train_dual_encoder(attention, 1);
    CHECK(same_weights(dual_encoder, train_dual_encoder(attention, 2)));
    CHECK(same_weights(dual_encoder, train_dual_encoder(attention, 7)));
    const auto language_model = train_language_model(attention, 1);
    CHECK(same_weights(language_model, train_language_model(attention, 2)));
    CHECK(same_weights(language_model, train_language_model(attention, 7)));
    const auto encoder_decoder = train_encoder_decoder(attention, 1);
    CHECK(same_weights(encoder_decoder, train_encoder_decoder(attention, 2)));
    CHECK(same_weights(encoder_decoder, train_encoder_decoder(attention, 7)));
  }
}
