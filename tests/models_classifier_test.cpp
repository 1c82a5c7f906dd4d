// The classifier: sizes, pooling, packed and padded batches, gradients, bad input.
#include <doctest/doctest.h>

#include <lintel/models/classifier.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/safetensors.hpp>
#include <lintel/ops/elementwise.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;
using models::Classifier;
using models::ClassifierConfig;

namespace {

/// The classifier of the paper's ListOps runs.
std::int64_t listops_parameters(const nn::AttentionConfig& attention) {
  Rng rng(1);
  return nn::parameter_count(Classifier({.vocab = 17,
                                         .classes = 10,
                                         .max_length = 2000,
                                         .hidden = 512,
                                         .mlp = 2048,
                                         .heads = 8,
                                         .blocks = 6,
                                         .attention = attention},
                                        rng));
}

ClassifierConfig small_config(const nn::AttentionConfig& attention, const std::string& pooling = "cls") {
  return {.vocab = 11,
          .classes = 3,
          .max_length = 6,
          .hidden = 8,
          .mlp = 12,
          .heads = 2,
          .blocks = 2,
          .attention = attention,
          .pooling = pooling};
}

const std::vector<nn::AttentionConfig> both_attentions = {nn::KernelAttentionConfig{}, nn::SoftmaxAttentionConfig{}};
const std::vector<std::string> poolings = {"cls", "mean", "last"};

Classifier random_classifier(const ClassifierConfig& config) {
  Rng rng(1);
  const Classifier model(config, rng);
  randomise(model, rng);
  return model;
}

const std::vector<std::vector<std::int64_t>> sentences = {{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10}};

std::string error_of_call(const Packed& tokens) {
  const Classifier model = random_classifier(small_config(nn::KernelAttentionConfig{}));
  return error_of([&] { model(tokens); });
}

std::string error_of_config(const ClassifierConfig& config) {
  Rng rng(1);
  return error_of([&] { Classifier(config, rng); });
}

}  // namespace

TEST_CASE("positions counted from the end are a second table, whose row 0 is added to the last token") {
  ClassifierConfig config = small_config(nn::KernelAttentionConfig{}, "mean");
  config.positions_from_end = true;
  const Classifier model = random_classifier(config);
  const models::TokenEmbedding& embedding = model.encoder.embedding;
  const models::EmbeddedTokens packed = embedding(pack({{1, 2, 3}, {4}}));
  const Tensor ids({2, 3}, std::vector<std::int64_t>{1, 2, 3, 4, 0, 0});
  const models::EmbeddedTokens padded = embedding(ids, {3, 1});
  const auto at = [](const Tensor& table, std::int64_t row) { return share_buffer(table, {8}, row * 8); };
  const auto wanted = [&](std::int64_t token, std::int64_t place, std::int64_t behind) {
    return at(embedding.tokens.weight, token) + at(embedding.positions->weight, place) +
           at(embedding.from_end->weight, behind);
  };
  CHECK_FALSE(embedding.from_end->weight.shares_buffer_with(embedding.positions->weight));
  const std::int64_t expected[4][3] = {{1, 0, 2}, {2, 1, 1}, {3, 2, 0}, {4, 0, 0}};
  for (std::int64_t row = 0; row < 4; ++row) {
    const Tensor vector = wanted(expected[row][0], expected[row][1], expected[row][2]);
    CHECK(largest_difference(at(packed.vectors, row), vector) < 1e-6);
    CHECK(largest_difference(at(padded.vectors, row), vector) < 1e-6);
  }
  config.options.positions = "none";
  CHECK(error_of([&] { random_classifier(config); }) ==
        "classifier: positions are counted from the end only where they are learned");
}

TEST_CASE("a token of a causal classifier sees itself and those before it alone") {
  for (const nn::AttentionConfig& attention : both_attentions) {
    ClassifierConfig config = small_config(attention, "mean");
    config.causal = true;
    const Classifier causal = random_classifier(config);
    config.causal = false;
    const Classifier seeing_all = random_classifier(config);
    // n·(mean over n tokens) is a sum: what a further token adds to it is its own vector, if those before do not
    // change.
    const auto sum = [](const Classifier& model, const std::vector<std::int64_t>& tokens) {
      return model.encoder(pack({tokens}), std::nullopt) * static_cast<double>(tokens.size());
    };
    const auto last_vector = [&](const Classifier& model) { return sum(model, {1, 2, 3}) - sum(model, {1, 2}); };
    const auto vectors = [](const Classifier& model) {
      const models::SequenceEncoder& encoder = model.encoder;
      const models::EmbeddedTokens embedded = encoder.embedding(pack({{1, 2, 3}}));
      return (*encoder.norm)(nn::apply_blocks(encoder.blocks, embedded.vectors, embedded.sequences, encoder.causal));
    };
    const auto difference = [&](const Classifier& model) {
      return largest_difference(last_vector(model), share_buffer(vectors(model), {1, 8}, 16));
    };
    CHECK(difference(causal) < 1e-5);
    CHECK(difference(seeing_all) > 1e-3);
  }
  ClassifierConfig config = small_config(nn::KernelAttentionConfig{});
  config.causal = true;
  CHECK(error_of([&] { random_classifier(config); }) ==
        "classifier: a causal encoder wants the pooling mean or last, since a first token sees nothing but itself");
}

TEST_CASE("the parameter counts of the paper's ListOps models come out") {
  CHECK(listops_parameters(nn::SoftmaxAttentionConfig{}) == 21'019'658);
  CHECK(listops_parameters(nn::KernelAttentionConfig{.feature_map = "glu", .layers = 1}) == 21'412'874);
  CHECK(listops_parameters(nn::KernelAttentionConfig{.feature_map = "glu", .layers = 2}) == 21'806'090);
  CHECK(listops_parameters(nn::KernelAttentionConfig{.feature_map = "lowrank_glu", .layers = 3}) == 21'904'394);
}

TEST_CASE("parameters are named as in the equivalent PyTorch module") {
  const Classifier model = random_classifier(small_config(nn::KernelAttentionConfig{}));
  std::vector<std::string> names;
  for (const auto& [name, x] : nn::named_parameters(model)) names.push_back(name);
  for (const char* wanted :
       {"embedding.tokens.weight", "embedding.positions.weight", "embedding.cls", "blocks.0.norm1.weight",
        "blocks.0.attention.q.weight", "blocks.1.attention.feature_map.layers.0.gate", "blocks.1.norm2.bias",
        "blocks.1.feed_forward.up.weight", "blocks.1.feed_forward.down.bias", "norm.weight", "head.dense.weight",
        "head.out.bias"}) {
    CHECK(std::count(names.begin(), names.end(), wanted) == 1);
  }
}

TEST_CASE("only pooling by CLS has a CLS vector, and an open mlp is four times hidden") {
  CHECK_FALSE(random_classifier(small_config(nn::KernelAttentionConfig{}, "mean")).encoder.embedding.cls.defined());
  ClassifierConfig config = small_config(nn::KernelAttentionConfig{});
  config.mlp = 0;
  CHECK(random_classifier(config).head.dense.weight.shape() == Shape{32, 8});
}

TEST_CASE("positions start at zero, and CLS does not") {
  Rng rng(1);
  const Classifier model(small_config(nn::KernelAttentionConfig{}), rng);
  CHECK(largest_difference(model.encoder.embedding.positions->weight, zeros({6, 8})) == 0);
  CHECK(largest_difference(model.encoder.embedding.cls, zeros({1, 8})) > 0);
}

TEST_CASE("a sequence's logits do not depend on what else is in the batch") {
  for (const nn::AttentionConfig& attention : both_attentions) {
    for (const std::string& pooling : poolings) {
      const Classifier model = random_classifier(small_config(attention, pooling));
      const Tensor together = model(pack(sentences));
      CHECK(together.shape() == Shape{3, 3});
      for (std::size_t i = 0; i < sentences.size(); ++i) {
        const Tensor row = share_buffer(together, {1, 3}, static_cast<std::int64_t>(i) * 3);
        CHECK(largest_difference(row, model(pack({sentences[i]}))) < 1e-5);
      }
    }
  }
}

TEST_CASE("packed and padded batches give the same logits, whatever stands in the padding") {
  for (const nn::AttentionConfig& attention : both_attentions) {
    for (const std::string& pooling : poolings) {
      const Classifier model = random_classifier(small_config(attention, pooling));
      const Tensor wanted = model(pack(sentences));
      for (const std::int64_t filler : {0, 10}) {
        std::vector<std::int64_t> ids, lengths;
        for (const auto& sentence : sentences) {
          for (std::size_t i = 0; i < 8; ++i) ids.push_back(i < sentence.size() ? sentence[i] : filler);
          lengths.push_back(static_cast<std::int64_t>(sentence.size()));
        }
        CHECK(largest_difference(model(Tensor({3, 8}, ids), lengths), wanted) < 1e-5);
      }
      const Tensor full({2, 2}, {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}});
      CHECK(largest_difference(model(full), model(pack({{1, 2}, {3, 4}}))) < 1e-5);
    }
  }
}

TEST_CASE("order matters through positions only") {
  const Classifier model = random_classifier(small_config(nn::KernelAttentionConfig{}));
  CHECK(largest_difference(model(pack({{1, 2, 3}})), model(pack({{3, 2, 1}}))) > 1e-4);
  Rng rng(1);
  const Classifier fresh(small_config(nn::KernelAttentionConfig{}), rng);
  CHECK(largest_difference(fresh(pack({{1, 2, 3}})), fresh(pack({{3, 2, 1}}))) < 1e-6);
}

TEST_CASE("gradients of the loss are right for every parameter") {
  const Tensor labels({2}, {std::int64_t{2}, std::int64_t{0}});
  for (const nn::AttentionConfig& attention : both_attentions) {
    for (const std::string& pooling : poolings) {
      ClassifierConfig config = small_config(attention, pooling);
      config.hidden = 4, config.mlp = 4, config.vocab = 4, config.max_length = 3;
      const Classifier model = in_float64(random_classifier(config));
      gradcheck_module(model, Tensor(), [&](const Classifier& classifier, const Tensor&) {
        return nn::cross_entropy(classifier(pack({{1, 2, 3}, {0}})), labels);
      });
    }
  }
}

TEST_CASE("dropout acts in training only, by key and step") {
  ClassifierConfig config = small_config(nn::KernelAttentionConfig{.dropout = 0.3});
  config.dropout = 0.3;
  const Classifier model = random_classifier(config);
  const Packed tokens = pack(sentences);
  CHECK(same_bits(model(tokens), model(tokens)));
  CHECK(same_bits(model(tokens, nn::Training{1, 5}), model(tokens, nn::Training{1, 5})));
  CHECK_FALSE(same_bits(model(tokens, nn::Training{1, 5}), model(tokens, nn::Training{1, 6})));
  CHECK_FALSE(same_bits(model(tokens), model(tokens, nn::Training{1, 5})));
}

TEST_CASE("the same seed makes the same model") {
  Rng rng(1), again(1), other(2);
  const ClassifierConfig config = small_config(nn::KernelAttentionConfig{});
  const Packed tokens = pack(sentences);
  const Tensor logits = Classifier(config, rng)(tokens);
  CHECK(same_bits(logits, Classifier(config, again)(tokens)));
  CHECK_FALSE(same_bits(logits, Classifier(config, other)(tokens)));
}

TEST_CASE("a saved classifier gives the same logits, and one of other sizes refuses the file") {
  const TemporaryFolder folder;
  const Classifier model = random_classifier(small_config(nn::KernelAttentionConfig{}));
  save(model, folder.path() / "model.safetensors");
  Rng rng(5);
  Classifier loaded(small_config(nn::KernelAttentionConfig{}), rng);
  load(loaded, folder.path() / "model.safetensors");
  CHECK(same_bits(loaded(pack(sentences)), model(pack(sentences))));
  Classifier other(small_config(nn::SoftmaxAttentionConfig{}), rng);
  CHECK(contains(error_of([&] { load(other, folder.path() / "model.safetensors"); }),
                 "unexpected \"blocks.0.attention.feature_map.layers.0.weight\""));
}

TEST_CASE("an error of the backward pass names the layer") {
  const Classifier model = random_classifier(small_config(nn::KernelAttentionConfig{}));
  Tape tape(model);
  const Tensor loss = nn::cross_entropy(model(pack(sentences)), zeros({3}, DType::int64));
  const Tensor& gate = std::get<nn::GluFeatureLayer>(
                           std::get<nn::KernelAttention>(model.encoder.blocks[1].attention.kind).feature_map.layers[0])
                           .gate;
  write<float>(gate, "someone")[0] = 0;
  const std::string sentence = error_of([&] { tape.gradients(loss); });
  CHECK(contains(sentence, "blocks.1.attention"));
  CHECK(contains(sentence, "changed by someone"));
}

TEST_CASE("a batch that makes no sense is refused") {
  CHECK(contains(error_of_call(pack({{1}, {11}})), "11"));
  CHECK(contains(error_of_call(pack({{1}, {-1}})), "-1"));
  CHECK(
      contains(error_of_call(pack({{1}, {1, 2, 3, 4, 5, 6, 7}})), "model: sequence 1 has 7 tokens, at most 6 wanted"));
  CHECK(contains(error_of_call(pack({{1}, {}})), "model: sequence 1 is empty, at least one token wanted"));
  CHECK(contains(error_of_call(pack({})), "model: the batch holds no sequence"));
  const Tensor offsets = pack({{1, 2}}).offsets;
  CHECK(contains(error_of_call({zeros({3}, DType::int64), offsets}), "model: ids have shape (3,), (2,) wanted"));
  CHECK(contains(error_of_call({zeros({2, 1}, DType::int64), offsets}), "model: ids have shape (2, 1), (2,) wanted"));
  CHECK_FALSE(error_of_call({zeros({2}), offsets}).empty());
  CHECK_FALSE(error_of_call({Tensor(), Tensor()}).empty());
  CHECK_FALSE(error_of_call({zeros({2}, DType::int64), Tensor({2}, {std::int64_t{2}, std::int64_t{0}})}).empty());
}

TEST_CASE("a padded batch that makes no sense is refused") {
  const Classifier model = random_classifier(small_config(nn::KernelAttentionConfig{}));
  const Tensor ids = zeros({2, 3}, DType::int64);
  CHECK(contains(error_of([&] { model(zeros({3}, DType::int64)); }), "model: ids have shape (3,), (B, N) wanted"));
  CHECK_FALSE(error_of([&] { model(ids, {1}); }).empty());
  CHECK_FALSE(error_of([&] { model(ids, {1, 4}); }).empty());
  CHECK(contains(error_of([&] { model(ids, {1, 0}); }), "model: sequence 1 is empty"));
  CHECK(contains(error_of([&] { model(zeros({0, 3}, DType::int64)); }), "model: the batch holds no sequence"));
  CHECK(contains(error_of([&] { model(zeros({1, 7}, DType::int64)); }), "sequence 0 has 7 tokens, at most 6 wanted"));
}

TEST_CASE("a label outside the classes is refused") {
  const Classifier model = random_classifier(small_config(nn::KernelAttentionConfig{}));
  const Tensor labels({1}, {std::int64_t{3}});
  CHECK(contains(error_of([&] { nn::cross_entropy(model(pack({{1}})), labels); }), "3"));
}

TEST_CASE("a config that makes no sense is refused") {
  const ClassifierConfig good = small_config(nn::KernelAttentionConfig{});
  auto changed = [&](auto change) {
    ClassifierConfig config = good;
    change(config);
    return error_of_config(config);
  };
  CHECK(contains(changed([](auto& c) { c.vocab = 0; }), "classifier: vocab is 0, at least 1 wanted"));
  CHECK(contains(changed([](auto& c) { c.classes = 0; }), "classifier: classes is 0"));
  CHECK(contains(changed([](auto& c) { c.max_length = -1; }), "classifier: max_length is -1"));
  CHECK(contains(changed([](auto& c) { c.hidden = 0; }), "classifier: hidden is 0"));
  CHECK(contains(changed([](auto& c) { c.mlp = -1; }), "classifier: mlp is -1"));
  CHECK(contains(changed([](auto& c) { c.heads = 3; }), "hidden size 8 does not divide into 3 heads"));
  CHECK(contains(changed([](auto& c) { c.blocks = 0; }), "0 blocks, at least 1 wanted"));
  CHECK(contains(changed([](auto& c) { c.dropout = 1; }), "dropout: rate is 1"));
  CHECK(
      contains(changed([](auto& c) { c.pooling = "max"; }), "unknown pooling \"max\", one of cls, mean, last wanted"));
  CHECK(contains(changed([](auto& c) { c.attention = nn::KernelAttentionConfig{.feature_map = "exp"}; }),
                 "unknown kind \"exp\", one of linear, glu, lowrank_glu, residual, "));
}
