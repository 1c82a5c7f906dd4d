// No model forgets to name a member in its `visit`: a forgotten one would be neither trained nor saved.
#include <doctest/doctest.h>

#include <lintel/models/classifier.hpp>
#include <lintel/models/dual_encoder.hpp>
#include <lintel/models/encoder_decoder.hpp>
#include <lintel/models/language_model.hpp>

#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

const std::vector<nn::AttentionConfig> all_attentions = {
    nn::KernelAttentionConfig{.feature_map = "linear", .dropout = 0.1},
    nn::KernelAttentionConfig{.feature_map = "glu", .layers = 2, .bias = true},
    nn::KernelAttentionConfig{.feature_map = "lowrank_glu", .normaliser = "rmsnorm"}, nn::SoftmaxAttentionConfig{}};

}  // namespace

TEST_CASE("no model forgets a member") {
  const Packed tokens = pack({{1, 2, 3}, {4}});
  const Tensor ids = zeros({2, 3}, DType::int64);
  const nn::Training training{1, 1};
  const std::vector<std::string> none;
  Rng rng(1);
  for (const nn::AttentionConfig& attention : all_attentions) {
    const models::Classifier classifier(
        {.vocab = 5, .classes = 2, .max_length = 4, .hidden = 8, .heads = 2, .attention = attention, .dropout = 0.1},
        rng);
    CHECK(ops_that_read_forgotten_members(classifier, Tensor(), [&] { return classifier(tokens, training); }) == none);
    CHECK(ops_that_read_forgotten_members(classifier, Tensor(), [&] { return classifier(ids, {2, 3}); }) == none);
    for (const char* interaction : {"none", "nli"}) {
      const models::DualEncoder pairs({.vocab = 5,
                                       .max_length = 4,
                                       .hidden = 8,
                                       .heads = 2,
                                       .attention = attention,
                                       .dropout = 0.1,
                                       .interaction = interaction},
                                      rng);
      CHECK(ops_that_read_forgotten_members(pairs, Tensor(), [&] { return pairs(tokens, tokens, training); }) == none);
    }
    const models::LanguageModel model(
        {.vocab = 5, .max_length = 4, .hidden = 8, .heads = 2, .attention = attention, .dropout = 0.1}, rng);
    CHECK(ops_that_read_forgotten_members(model, Tensor(), [&] { return model.loss(tokens, training); }) == none);
    const models::EncoderDecoder pairs({.source_vocab = 5,
                                        .target_vocab = 5,
                                        .max_length = 4,
                                        .hidden = 8,
                                        .heads = 2,
                                        .attention = attention,
                                        .dropout = 0.1},
                                       rng);
    CHECK(ops_that_read_forgotten_members(pairs, Tensor(), [&] { return pairs.loss(tokens, tokens, training); }) ==
          none);
  }
}
