// Models whose blocks are checkpointed: the same gradients, and memory that does not hold what blocks compute inside.
#include <doctest/doctest.h>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/memory.hpp>
#include <lintel/models/classifier.hpp>
#include <lintel/models/encoder_decoder.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/nn/loss.hpp>

#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

struct Variant {
  nn::AttentionConfig attention;
  models::TransformerOptions options;
};

const std::vector<Variant> variants = {
    {nn::KernelAttentionConfig{.feature_map = "glu", .layers = 2, .dropout = 0.1}, {}},
    {nn::KernelAttentionConfig{.feature_map = "hedgehog"}, {.positions = "rotary", .norm = "rms"}},
    {nn::KernelAttentionConfig{.feature_map = "lowrank_glu"}, {.feed_forward = "swiglu", .kv_heads = 1}},
    {nn::SoftmaxAttentionConfig{}, {.positions = "none"}}};

Packed random_tokens(const std::vector<std::int64_t>& lengths, std::int64_t vocab) {
  Rng rng(3);
  std::vector<std::vector<std::int64_t>> sequences;
  for (const std::int64_t length : lengths) {
    sequences.emplace_back();
    for (std::int64_t i = 0; i < length; ++i) sequences.back().push_back(rng.below(vocab));
  }
  return pack(sequences);
}

template <class Model, class Loss>
std::vector<Tensor> gradients_of(const Model& model, const Loss& loss) {
  Tape tape(model);
  const Gradients gradients = tape.gradients(loss(model));
  std::vector<Tensor> result;
  for (const NamedTensor& parameter : nn::named_parameters(model)) result.push_back(gradients[parameter.tensor]);
  return result;
}

/// Whether two models, which differ in `checkpoint` only, have the same gradients.
template <class Model, class Loss>
bool same_gradients(const Model& plain, const Model& checkpointed, const Loss& loss) {
  const auto expected = gradients_of(plain, loss), found = gradients_of(checkpointed, loss);
  return std::equal(expected.begin(), expected.end(), found.begin(), found.end(), same_bits);
}

/// The config of a small model, sizes of vocabularies and stacks left open.
template <class Config>
Config small_config(const Variant& variant, bool checkpoint) {
  Config config;
  config.max_length = 700;
  config.hidden = 16;
  config.mlp = 24;
  config.heads = 2;
  config.attention = variant.attention;
  config.dropout = 0.2;
  config.options = variant.options;
  config.options.checkpoint = checkpoint;
  return config;
}

models::Classifier make_classifier(const Variant& variant, bool checkpoint) {
  Rng rng(1);
  auto config = small_config<models::ClassifierConfig>(variant, checkpoint);
  config.vocab = 11;
  config.classes = 3;
  config.blocks = 3;
  return models::Classifier(config, rng);
}

models::LanguageModel make_language_model(const Variant& variant, bool checkpoint) {
  Rng rng(1);
  auto config = small_config<models::LanguageModelConfig>(variant, checkpoint);
  config.vocab = 11;
  config.blocks = 3;
  return models::LanguageModel(config, rng);
}

models::EncoderDecoder make_encoder_decoder(const Variant& variant, bool checkpoint) {
  Rng rng(1);
  auto config = small_config<models::EncoderDecoderConfig>(variant, checkpoint);
  config.source_vocab = config.target_vocab = 11;
  return models::EncoderDecoder(config, rng);
}

}  // namespace

TEST_CASE("gradients with checkpointed blocks equal those without, bit for bit, dropout included") {
  const Packed tokens = random_tokens({700, 1, 65, 300}, 11), targets = random_tokens({20, 300, 0, 65}, 11);
  const Tensor labels({4}, std::vector<std::int64_t>{0, 2, 1, 2});
  const nn::Training training{5, 7};
  for (const Variant& variant : variants) {
    CHECK(same_gradients(make_classifier(variant, false), make_classifier(variant, true),
                         [&](const auto& model) { return nn::cross_entropy(model(tokens, training), labels); }));
    CHECK(same_gradients(make_language_model(variant, false), make_language_model(variant, true),
                         [&](const auto& model) { return model.loss(tokens, training); }));
    CHECK(same_gradients(make_encoder_decoder(variant, false), make_encoder_decoder(variant, true),
                         [&](const auto& model) { return model.loss(tokens, targets, training, 0.1); }));
  }
}

TEST_CASE("of a checkpointed block a tape keeps its input alone") {
  const Packed tokens = random_tokens({700, 300}, 11);
  for (const Variant& variant : variants) {
    const models::LanguageModel model = make_language_model(variant, true);
    Tape tape(model);
    (void)model.loss(tokens);
    for (const Record& record : tape.records()) {
      if (record.op != "checkpoint") continue;
      std::int64_t tensors_of_tokens = 0;
      for (const SavedTensor& saved : record.saved) tensors_of_tokens += saved.tensor.size(0) == 1000 ? 1 : 0;
      CHECK(tensors_of_tokens == 1);
    }
  }
}

TEST_CASE("a checkpointed block holds nothing of the size tokens times mlp") {
  constexpr std::int64_t length = 4096, mlp = 2048;
  const Packed tokens = random_tokens({length}, 11);
  for (const std::string kind : {"gelu", "swiglu"}) {
    Rng rng(1);
    const models::Classifier model({.vocab = 11,
                                    .classes = 2,
                                    .hidden = 16,
                                    .mlp = mlp,
                                    .heads = 2,
                                    .blocks = 2,
                                    .pooling = "mean",
                                    .options = {.positions = "none", .feed_forward = kind, .checkpoint = true}},
                                   rng);
    reset_peak_memory();
    const std::int64_t before = memory_statistics().live;
    Tape tape(model);
    (void)tape.gradients(nn::cross_entropy(model(tokens), Tensor({1}, std::vector<std::int64_t>{1})));
    CHECK(memory_statistics().peak - before < length * mlp * 4);
  }
}
