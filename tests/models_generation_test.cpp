// A language model that reads on with a state, saves it and branches it.
#include <doctest/doctest.h>

#include <lintel/models/language_model.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;
using models::LanguageModel;
using models::LanguageModelConfig;
using models::LanguageModelState;

namespace {

constexpr std::int64_t vocab = 11;

/// The attentions with the positions that they may have.
std::vector<LanguageModelConfig> all_configs() {
  std::vector<LanguageModelConfig> configs;
  for (const nn::AttentionConfig& attention :
       {nn::AttentionConfig(nn::KernelAttentionConfig{}), nn::AttentionConfig(nn::SoftmaxAttentionConfig{})}) {
    for (const char* positions : {"learned", "rotary", "none"}) {
      LanguageModelConfig config{
          .vocab = vocab, .max_length = 300, .hidden = 16, .mlp = 12, .heads = 4, .blocks = 2, .attention = attention};
      config.options.positions = positions;
      configs.push_back(config);
    }
  }
  configs.back().options = {
      .positions = "rotary", .norm = "rms", .feed_forward = "swiglu", .kv_heads = 2, .bias_free = true};
  configs.back().tied_output = true;
  LanguageModelConfig convolved = configs.front();
  convolved.attention = nn::KernelAttentionConfig{.normaliser = "rmsnorm"};
  convolved.options = {.positions = "none", .qk_norm = true, .convolution = 4};
  configs.push_back(convolved);
  return configs;
}

LanguageModel random_model(const LanguageModelConfig& config) {
  Rng rng(1);
  const LanguageModel model(config, rng);
  randomise(model, rng);
  return model;
}

std::vector<std::int64_t> random_tokens(std::int64_t count, std::uint64_t seed = 3) {
  Rng rng(seed);
  std::vector<std::int64_t> tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back(rng.below(vocab));
  return tokens;
}

Tensor ids_of(const std::vector<std::int64_t>& ids) { return Tensor({static_cast<std::int64_t>(ids.size())}, ids); }

/// The logits after the last token of `tokens`, all read at once: (1, vocab).
Tensor last_logits(const LanguageModel& model, const std::vector<std::int64_t>& tokens) {
  const Tensor logits = model(pack({tokens}));
  return share_buffer(logits, {1, vocab}, (logits.size(0) - 1) * vocab);
}

Tensor row(const Tensor& x, std::int64_t i) { return share_buffer(x, {1, x.size(1)}, i * x.size(1)); }

std::vector<std::int64_t> continue_greedily(const LanguageModel& model, LanguageModelState state, std::int64_t token,
                                            int count) {
  std::vector<std::int64_t> tokens;
  for (int i = 0; i < count; ++i) {
    const Tensor logits = model.step(ids_of({token}), state);
    const auto values = logits.values<float>();
    token = std::max_element(values.begin(), values.end()) - values.begin();
    tokens.push_back(token);
  }
  return tokens;
}

}  // namespace

TEST_CASE("prefill and steps give the logits of reading all at once") {
  for (const LanguageModelConfig& config : all_configs()) {
    CAPTURE(config.options.positions);
    const LanguageModel model = random_model(config), exact = in_float64(model);
    for (const std::int64_t length : {1, 2, 63, 64, 65, 197}) {
      CAPTURE(length);
      std::vector<std::int64_t> tokens = random_tokens(length);
      LanguageModelState state = model.empty_state(), exact_state = exact.empty_state();
      const Tensor wanted = last_logits(exact, tokens);
      CHECK(largest_difference(model.prefill(pack({tokens}), state), wanted) < 1e-5);
      CHECK(largest_difference(exact.prefill(pack({tokens}), exact_state), wanted) < 1e-12);
      for (const std::int64_t next : {5, 0, 7}) {
        tokens.push_back(next);
        const Tensor after = last_logits(exact, tokens);
        CHECK(largest_difference(model.step(ids_of({next}), state), after) < 1e-5);
        CHECK(largest_difference(exact.step(ids_of({next}), exact_state), after) < 1e-12);
      }
      CHECK(state.lengths() == std::vector<std::int64_t>{length + 3});
    }
  }
}

TEST_CASE("a batch of streams with prompts of different lengths is each stream alone") {
  for (const LanguageModelConfig& config : all_configs()) {
    const LanguageModel model = random_model(config);
    const std::vector<std::vector<std::int64_t>> prompts = {random_tokens(5, 1), random_tokens(130, 2),
                                                            random_tokens(1, 3)};
    LanguageModelState together = model.empty_state(3);
    std::vector<LanguageModelState> alone(3, model.empty_state());
    const Tensor logits = model.prefill(pack(prompts), together);
    for (std::size_t i = 0; i < 3; ++i) {
      const Tensor own = model.prefill(pack({prompts[i]}), alone[i]);
      CHECK(largest_difference(row(logits, static_cast<std::int64_t>(i)), own) < 1e-5);
    }
    for (const std::vector<std::int64_t>& ids : {std::vector<std::int64_t>{1, 2, 3}, {4, 4, 4}}) {
      const Tensor next = model.step(ids_of(ids), together);
      for (std::size_t i = 0; i < 3; ++i) {
        const Tensor own = model.step(ids_of({ids[i]}), alone[i]);
        CHECK(largest_difference(row(next, static_cast<std::int64_t>(i)), own) < 1e-5);
      }
    }
  }
}

TEST_CASE("a prompt longer than the pieces of prefill, in a batch with short ones, is read whole") {
  const std::int64_t longer = LanguageModel::prefill_piece + 70;
  for (LanguageModelConfig config : all_configs()) {
    config.max_length = longer + 1;
    const LanguageModel model = random_model(config);
    const std::vector<std::vector<std::int64_t>> prompts = {random_tokens(3, 1), random_tokens(longer, 2),
                                                            random_tokens(LanguageModel::prefill_piece, 4)};
    LanguageModelState state = model.empty_state(3);
    const Tensor logits = model.prefill(pack(prompts), state);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(largest_difference(row(logits, static_cast<std::int64_t>(i)), last_logits(model, prompts[i])) < 1e-4);
    }
  }
}

TEST_CASE("a saved state goes on in another model of the same weights, with the same tokens") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "state.safetensors";
  for (const LanguageModelConfig& config : all_configs()) {
    const LanguageModel model = random_model(config), other = random_model(config);
    LanguageModelState state = model.empty_state(2);
    model.prefill(pack({random_tokens(100), random_tokens(7)}), state);
    save_state(state, path);
    const LanguageModelState resumed = other.load_state(path);
    CHECK(resumed.lengths() == std::vector<std::int64_t>{100, 7});
    CHECK(resumed.bytes() == state.bytes());
    for (const std::int64_t stream : {0, 1}) {
      CHECK(continue_greedily(other, resumed.select({stream}), 1, 50) ==
            continue_greedily(model, state.select({stream}), 1, 50));
    }
  }
}

TEST_CASE("a copied state branches, and the trunk is as it was") {
  for (const LanguageModelConfig& config : all_configs()) {
    const LanguageModel model = random_model(config);
    LanguageModelState trunk = model.empty_state();
    model.prefill(pack({random_tokens(70)}), trunk);
    const std::vector<std::int64_t> first = continue_greedily(model, trunk, 1, 20);
    continue_greedily(model, trunk, 2, 20);
    CHECK(continue_greedily(model, trunk, 1, 20) == first);
    CHECK(trunk.lengths() == std::vector<std::int64_t>{70});
  }
}

TEST_CASE("learned positions end a stream at their last row, other positions do not") {
  for (LanguageModelConfig config : all_configs()) {
    config.max_length = 10;
    const LanguageModel model = random_model(config);
    LanguageModelState state = model.empty_state();
    if (config.options.positions == "learned") {
      CHECK(contains(error_of([&] { model.prefill(pack({random_tokens(11)}), state); }), "11 tokens, at most 10"));
      model.prefill(pack({random_tokens(10)}), state);
      CHECK(contains(error_of([&] { model.step(ids_of({1}), state); }), "sequence 0 has 11 tokens, at most 10"));
      CHECK(state.lengths() == std::vector<std::int64_t>{10});
    } else {
      model.prefill(pack({random_tokens(11)}), state);
      model.step(ids_of({1}), state);
      CHECK(state.lengths() == std::vector<std::int64_t>{12});
    }
  }
}

TEST_CASE("reading on refuses what makes no sense, and leaves the state as it was") {
  const LanguageModel model = random_model(all_configs().front());
  LanguageModelState state = model.empty_state(2);
  model.prefill(pack({{1, 2}, {3}}), state);
  CHECK(contains(error_of([&] { model.prefill(pack({{1}}), state); }), "1 sequences for a state of 2 streams"));
  CHECK(contains(error_of([&] { model.prefill(pack({{1}, {}}), state); }), "stream 1 gets no token"));
  CHECK(contains(error_of([&] { model.prefill(pack({{1}, {vocab}}), state); }), "outside [0, 11)"));
  CHECK(contains(error_of([&] { model.step(ids_of({1, vocab}), state); }), "outside [0, 11)"));
  CHECK(contains(error_of([&] { model.step(ids_of({1}), state); }), "1 sequences for a state of 2 streams"));
  CHECK(contains(error_of([&] { model.step(Tensor(), state); }), "step wants one token of each stream"));
  CHECK(contains(error_of([&] { model.prefill({ids_of({1}), ids_of({0, 1, 9})}, state); }), "(9,) wanted"));
  LanguageModelState none = model.empty_state(0);
  CHECK(model.step(ids_of({}), none).shape() == Shape{0, vocab});
  CHECK(state.lengths() == std::vector<std::int64_t>{2, 1});
}

TEST_CASE("a file that is no state of the model is refused") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "state.safetensors";
  for (const LanguageModelConfig& config : all_configs()) {
    const LanguageModel model = random_model(config);
    save(model, path);
    CHECK(contains(error_of([&] { model.load_state(path); }), "is not the state of a language model"));
    LanguageModelState state = model.empty_state();
    model.prefill(pack({random_tokens(5)}), state);
    LanguageModelConfig deeper = config, wider = config;
    deeper.blocks = 3;
    wider.hidden = 32;
    save_state(state, path);
    CHECK(contains(error_of([&] { random_model(deeper).load_state(path); }), "missing \"layers.2.lengths\""));
    CHECK(contains(error_of([&] { random_model(wider).load_state(path); }), "does not fit"));
    write<std::int64_t>(state.layers[1].lengths, "test")[0] = 6;
    save_state(state, path);
    CHECK(contains(error_of([&] { model.load_state(path); }), "is damaged: its lengths do not fit"));
  }
}
