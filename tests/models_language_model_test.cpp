// The language model: what it sees, what it is trained on, gradients, bad input.
#include <doctest/doctest.h>

#include <lintel/models/language_model.hpp>
#include <lintel/ops/cross_entropy.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;
using models::LanguageModel;
using models::LanguageModelConfig;

namespace {

const std::vector<nn::AttentionConfig> both_attentions = {nn::KernelAttentionConfig{}, nn::SoftmaxAttentionConfig{}};

LanguageModelConfig small_config(const nn::AttentionConfig& attention = nn::KernelAttentionConfig{}) {
  return {.vocab = 9, .max_length = 150, .hidden = 8, .mlp = 12, .heads = 2, .blocks = 2, .attention = attention};
}

LanguageModel random_model(const LanguageModelConfig& config) {
  Rng rng(1);
  const LanguageModel model(config, rng);
  randomise(model, rng);
  return model;
}

std::vector<std::int64_t> random_tokens(std::int64_t count, std::int64_t vocab) {
  Rng rng(3);
  std::vector<std::int64_t> tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back(rng.below(vocab));
  return tokens;
}

}  // namespace

TEST_CASE("a prediction depends on the tokens up to its own, and on no later one") {
  const std::vector<std::int64_t> tokens = random_tokens(140, 9);  // beyond one chunk of the causal kernel
  std::vector<std::int64_t> changed = tokens;
  changed[100] = (changed[100] + 1) % 9;
  for (const nn::AttentionConfig& attention : both_attentions) {
    const LanguageModel model = random_model(small_config(attention));
    const Tensor before = model(pack({tokens})), after = model(pack({changed}));
    REQUIRE(before.shape() == Shape{140, 9});
    CHECK(same_bits(share_buffer(before, {100, 9}), share_buffer(after, {100, 9})));
    CHECK_FALSE(same_bits(share_buffer(before, {40, 9}, 100 * 9), share_buffer(after, {40, 9}, 100 * 9)));
  }
}

TEST_CASE("a prefix gives the logits that the whole gives at that place") {
  const std::vector<std::int64_t> tokens = random_tokens(140, 9);
  for (const nn::AttentionConfig& attention : both_attentions) {
    const LanguageModel model = random_model(small_config(attention));
    const Tensor whole = model(pack({tokens})), prefix = model(pack({{tokens.begin(), tokens.begin() + 70}}));
    CHECK(largest_difference(share_buffer(whole, {70, 9}), prefix) < 1e-5);
  }
}

TEST_CASE("the loss is the mean cross-entropy of every token but the first of each sequence") {
  const LanguageModel model = random_model(small_config());
  const Packed tokens = pack({{1, 2, 3}, {4}, {5, 6}});
  const Tensor logits = model(tokens);
  double total = 0;
  const std::vector<std::pair<std::int64_t, std::int64_t>> row_and_next = {{0, 2}, {1, 3}, {4, 6}};
  for (const auto& [row, next] : row_and_next) {
    total += cross_entropy(share_buffer(logits, {1, 9}, row * 9), Tensor({1}, {next})).item();
  }
  CHECK(model.loss(tokens).item() == doctest::Approx(total / 3));
}

TEST_CASE("gradients of the loss are right for every parameter") {
  for (const nn::AttentionConfig& attention : both_attentions) {
    LanguageModelConfig config = small_config(attention);
    config.hidden = 4, config.mlp = 4, config.vocab = 4, config.max_length = 4;
    const LanguageModel model = in_float64(random_model(config));
    gradcheck_module(model, Tensor(), [&](const LanguageModel& language_model, const Tensor&) {
      return language_model.loss(pack({{1, 2, 3, 0}, {3, 1}}));
    });
  }
}

TEST_CASE("gradients are right with every option, and none of the weights has a bias then") {
  for (const nn::AttentionConfig& attention : both_attentions) {
    LanguageModelConfig config = small_config(attention);
    config.hidden = 4, config.mlp = 4, config.vocab = 4, config.max_length = 0;
    config.options = {.positions = "rotary", .norm = "rms", .feed_forward = "swiglu", .kv_heads = 1, .bias_free = true};
    config.tied_output = true;
    const LanguageModel model = in_float64(random_model(config));
    for (const auto& [name, x] : nn::named_parameters(model)) CHECK_FALSE(name.ends_with("bias"));
    gradcheck_module(model, Tensor(), [&](const LanguageModel& language_model, const Tensor&) {
      return language_model.loss(pack({{1, 2, 3, 0}, {3, 1}}));
    });
  }
}

TEST_CASE("a tied output is the scalar product with the tokens' embeddings") {
  LanguageModelConfig config = small_config();
  config.tied_output = true;
  const LanguageModel tied = random_model(config);
  LanguageModel untied = tied;
  Rng rng(1);
  untied.head = nn::Linear(8, 9, rng, {.bias = false});
  copy_into(untied.head->weight, tied.embedding.tokens.weight, "test");
  CHECK(same_bits(tied(pack({{1, 2, 3}})), untied(pack({{1, 2, 3}}))));
  for (const auto& [name, x] : nn::named_parameters(tied)) CHECK_FALSE(name.starts_with("head"));
}

TEST_CASE("without positions a model takes the order of tokens from causality alone, and no length is too long") {
  LanguageModelConfig config = small_config(nn::SoftmaxAttentionConfig{});
  config.options.positions = "none";
  config.max_length = 0;
  const LanguageModel model = random_model(config);
  CHECK(!model.embedding.positions);
  const Tensor one = model(pack({{1, 2, 3, 4}})), other = model(pack({{2, 1, 3, 4}}));
  CHECK(largest_difference(share_buffer(one, {9}, 2 * 9), share_buffer(other, {9}, 2 * 9)) > 1e-4);
  config.blocks = 1;  // a single layer sees a set
  const LanguageModel shallow = random_model(config);
  const Tensor first = shallow(pack({{1, 2, 3, 4}})), second = shallow(pack({{2, 1, 3, 4}}));
  CHECK(largest_difference(share_buffer(first, {9}, 3 * 9), share_buffer(second, {9}, 3 * 9)) < 1e-6);
  CHECK(model(pack({random_tokens(500, 9)})).size(0) == 500);
}

TEST_CASE("a head predicts from every token, and there is no CLS") {
  const LanguageModel model = random_model(small_config());
  std::vector<std::string> names;
  for (const auto& [name, x] : nn::named_parameters(model)) names.push_back(name);
  CHECK(std::count(names.begin(), names.end(), "head.weight") == 1);
  CHECK(std::count(names.begin(), names.end(), "embedding.cls") == 0);
  CHECK(model(pack({{1, 2}, {3}})).shape() == Shape{3, 9});
}

TEST_CASE("the language model refuses what makes no sense") {
  const LanguageModel model = random_model(small_config());
  CHECK(contains(error_of([&] { model.loss(pack({{1}, {2}})); }), "loss of 2 sequences of one token each"));
  CHECK(contains(error_of([&] { model(pack({{9}})); }), "9"));
  CHECK(contains(error_of([&] { model(pack({{1}, {}})); }), "model: sequence 1 is empty"));
  CHECK(contains(error_of([&] { model(pack({random_tokens(151, 9)})); }), "sequence 0 has 151 tokens, at most 150"));
  Rng rng(1);
  auto error_of_config = [&](auto change) {
    LanguageModelConfig config = small_config();
    change(config);
    return error_of([&] { LanguageModel(config, rng); });
  };
  CHECK(contains(error_of_config([](auto& c) { c.vocab = 0; }), "language_model: vocab is 0"));
  CHECK(contains(error_of_config([](auto& c) { c.max_length = 0; }), "language_model: max_length is 0"));
  CHECK(contains(error_of_config([](auto& c) { c.hidden = -8; }), "language_model: hidden is -8"));
  CHECK(contains(error_of_config([](auto& c) { c.mlp = -8; }), "language_model: mlp is -8"));
  CHECK(contains(error_of_config([](auto& c) { c.options.positions = "sinus"; }),
                 "language_model: unknown positions \"sinus\", one of learned, rotary, none wanted"));
  CHECK(contains(error_of_config([](auto& c) { c.options.norm = "batch"; }), "one of layer, rms wanted"));
  CHECK(contains(error_of_config([](auto& c) { c.options.feed_forward = "moe"; }), "one of gelu, swiglu wanted"));
  CHECK(contains(error_of_config([](auto& c) { c.options.rotary_base = 0; }), "rotary_base is 0, a positive"));
  CHECK(contains(error_of_config([](auto& c) { c.options.norm_epsilon = -1; }), "norm_epsilon is -1, a positive"));
  CHECK(contains(error_of_config([](auto& c) { c.options.kv_heads = 3; }), "2 heads cannot share 3 heads"));
  CHECK(contains(error_of_config([](auto& c) { c.heads = 3; }), "hidden size 8 does not divide into 3 heads"));
}
