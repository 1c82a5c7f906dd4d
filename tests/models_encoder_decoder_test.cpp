// The encoder–decoder Transformer: what it sees, writing step by step, gradients, learning, bad input.
#include <doctest/doctest.h>

#include <lintel/models/encoder_decoder.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/nn/schedule.hpp>
#include <lintel/ops/cross_entropy.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;
using models::EncoderDecoder;
using models::EncoderDecoderConfig;
using models::EncoderDecoderState;

namespace {

using Ids = std::vector<std::int64_t>;

const std::vector<nn::AttentionConfig> both_attentions = {nn::KernelAttentionConfig{}, nn::SoftmaxAttentionConfig{}};

EncoderDecoderConfig small_config(const nn::AttentionConfig& attention = nn::KernelAttentionConfig{}) {
  return {.source_vocab = 9,
          .target_vocab = 7,
          .max_length = 150,
          .hidden = 8,
          .mlp = 12,
          .heads = 2,
          .encoder_blocks = 2,
          .decoder_blocks = 2,
          .attention = attention};
}

/// Both attentions with the positions that they may have, and every other option.
std::vector<EncoderDecoderConfig> all_configs() {
  std::vector<EncoderDecoderConfig> configs;
  for (const nn::AttentionConfig& attention : both_attentions) {
    for (const char* positions : {"learned", "rotary", "none"}) {
      configs.push_back(small_config(attention));
      configs.back().options.positions = positions;
    }
    configs.back().options = {
        .positions = "rotary", .norm = "rms", .feed_forward = "swiglu", .kv_heads = 1, .bias_free = true};
    configs.back().tied_output = true;
  }
  return configs;
}

EncoderDecoder random_model(const EncoderDecoderConfig& config) {
  Rng rng(1);
  const EncoderDecoder model(config, rng);
  randomise(model, rng);
  return model;
}

Ids random_ids(std::int64_t count, std::int64_t vocab, std::uint64_t seed) {
  Rng rng(seed);
  Ids ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(rng.below(vocab));
  return ids;
}

Tensor tensor_of(const Ids& ids) { return Tensor({static_cast<std::int64_t>(ids.size())}, ids); }

Tensor rows(const Tensor& x, std::int64_t begin, std::int64_t count) {
  return share_buffer(x, {count, x.size(1)}, begin * x.size(1));
}

}  // namespace

TEST_CASE("a prediction depends on the whole source of its target, on the tokens before it, and on nothing else") {
  for (const nn::AttentionConfig& attention : both_attentions) {
    const EncoderDecoder model = random_model(small_config(attention));
    const Ids source = random_ids(80, 9, 1), target = random_ids(100, 7, 2);
    const auto logits = [&](const Ids& s, const Ids& t) { return model(pack({{3}, s, {4, 5}}), pack({{1}, t, {}})); };
    const Tensor before = logits(source, target);
    REQUIRE(before.shape() == Shape{2 + 101 + 1, 8});

    Ids other_target = target;
    other_target[60] = (target[60] + 1) % 7;
    const Tensor after = logits(source, other_target);
    CHECK(same_bits(rows(before, 0, 2 + 61), rows(after, 0, 2 + 61)));
    CHECK_FALSE(same_bits(rows(before, 2 + 61, 40), rows(after, 2 + 61, 40)));
    CHECK(same_bits(rows(before, 2 + 101, 1), rows(after, 2 + 101, 1)));

    Ids other_source = source;
    other_source.back() = (source.back() + 1) % 9;
    const Tensor informed = logits(other_source, target);
    CHECK(same_bits(rows(before, 0, 2), rows(informed, 0, 2)));
    CHECK_FALSE(same_bits(rows(before, 2, 1), rows(informed, 2, 1)));
    CHECK(same_bits(rows(before, 2 + 101, 1), rows(informed, 2 + 101, 1)));
  }
}

TEST_CASE("the loss is the mean cross-entropy of every token and of the boundary behind each target") {
  for (const double smoothing : {0.0, 0.1}) {
    const EncoderDecoder model = random_model(small_config());
    const Packed source = pack({{1, 2, 3}, {4}, {5, 6}}), target = pack({{6, 0}, {}, {2}});
    const Tensor wanted =
        cross_entropy(model(source, target), tensor_of({6, 0, 7, 7, 2, 7}), {.label_smoothing = smoothing});
    CHECK(model.loss(source, target, std::nullopt, smoothing).item() == doctest::Approx(wanted.item()));
  }
}

TEST_CASE("steps give the logits of reading whole targets, for sources of different lengths together") {
  const std::vector<Ids> sources = {random_ids(3, 9, 1), random_ids(130, 9, 2), random_ids(1, 9, 3)};
  const std::vector<Ids> targets = {random_ids(70, 7, 4), random_ids(70, 7, 5), random_ids(70, 7, 6)};
  for (const EncoderDecoderConfig& config : all_configs()) {
    CAPTURE(config.options.positions);
    CAPTURE(config.attention.index());
    const EncoderDecoder model = random_model(config), exact = in_float64(model);
    const Tensor wanted = exact(pack(sources), pack(targets));
    EncoderDecoderState state = model.start(pack(sources)), exact_state = exact.start(pack(sources));
    CHECK(state.streams() == 3);
    double difference = 0, exact_difference = 0;
    for (std::size_t place = 0; place <= 70; ++place) {
      Ids ids;
      for (const Ids& target : targets) ids.push_back(place == 0 ? model.boundary() : target[place - 1]);
      const Tensor logits = model.step(tensor_of(ids), state), exact_logits = exact.step(tensor_of(ids), exact_state);
      for (std::int64_t i = 0; i < 3; ++i) {
        const Tensor row = rows(wanted, 71 * i + static_cast<std::int64_t>(place), 1);
        difference = std::max(difference, largest_difference(rows(logits, i, 1), row));
        exact_difference = std::max(exact_difference, largest_difference(rows(exact_logits, i, 1), row));
      }
    }
    CHECK(difference < 1e-5);
    CHECK(exact_difference < 1e-12);
  }
}

TEST_CASE("the state of kernel attention is of one size, that of softmax attention grows with source and target") {
  const auto bytes_after = [](const nn::AttentionConfig& attention, std::int64_t length, int steps) {
    const EncoderDecoder model = random_model(small_config(attention));
    EncoderDecoderState state = model.start(pack({random_ids(length, 9, 1), random_ids(1, 9, 2)}));
    for (int i = 0; i < steps; ++i) model.step(tensor_of({1, 2}), state);
    return state.bytes();
  };
  constexpr std::int64_t streams = 2, blocks = 2, attentions = 2, heads = 2, head_dim = 4;
  for (const std::int64_t length : {1, 140}) {
    for (const int steps : {0, 3}) {
      CHECK(bytes_after(both_attentions[0], length, steps) ==
            streams * blocks * attentions * heads * head_dim * (head_dim + 1) * 4);
      CHECK(bytes_after(both_attentions[1], length, steps) ==
            blocks * (length + 1 + streams * steps) * heads * 2 * head_dim * 4);
    }
  }
}

TEST_CASE("gradients of the loss are right for every parameter") {
  for (const bool options : {false, true}) {
    for (const nn::AttentionConfig& attention : both_attentions) {
      EncoderDecoderConfig config = small_config(attention);
      config.hidden = 4, config.mlp = 4, config.source_vocab = 3, config.target_vocab = 3, config.max_length = 4;
      config.encoder_blocks = 1, config.decoder_blocks = 1;
      if (options) {
        config.options = {
            .positions = "rotary", .norm = "rms", .feed_forward = "swiglu", .kv_heads = 1, .bias_free = true};
        config.tied_output = true;
      }
      const EncoderDecoder model = in_float64(random_model(config));
      gradcheck_module(model, Tensor(), [&](const EncoderDecoder& each, const Tensor&) {
        return each.loss(pack({{1, 2, 0, 1}, {2}}), pack({{1, 0}, {2, 2, 1}}), std::nullopt, 0.1);
      });
    }
  }
}

TEST_CASE("a decoder block has a second attention and a third norm, and the output has a class for the boundary") {
  Rng rng(1);
  const EncoderDecoder model({.source_vocab = 10,
                              .target_vocab = 20,
                              .max_length = 30,
                              .hidden = 16,
                              .mlp = 32,
                              .heads = 4,
                              .encoder_blocks = 3,
                              .decoder_blocks = 2,
                              .attention = nn::SoftmaxAttentionConfig{}},
                             rng);
  constexpr std::int64_t attention = 4 * (16 * 16 + 16), norm = 2 * 16, mlp = 16 * 32 + 32 + 32 * 16 + 16;
  constexpr std::int64_t encoder = 10 * 16 + 30 * 16 + 3 * (attention + mlp + 2 * norm) + norm;
  constexpr std::int64_t decoder = 21 * 16 + 31 * 16 + 2 * (2 * attention + mlp + 3 * norm) + norm + 16 * 21 + 21;
  CHECK(nn::parameter_count(model) == encoder + decoder);
}

TEST_CASE("greedy writing takes the likeliest token at each step, and a stream does not depend on the others") {
  const std::vector<Ids> sources = {random_ids(3, 9, 1), random_ids(20, 9, 2), random_ids(1, 9, 3),
                                    random_ids(9, 9, 4)};
  for (const nn::AttentionConfig& attention : both_attentions) {
    const EncoderDecoder model = random_model(small_config(attention));
    const models::GreedyOptions options{.max_tokens = 12, .never = {2}};
    const std::vector<Ids> together = model.greedy(pack(sources), options);
    REQUIRE(together.size() == sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      CHECK(together[i] == model.greedy(pack({sources[i]}), options).front());
      CHECK(std::count(together[i].begin(), together[i].end(), 2) == 0);
      CHECK(together[i].size() <= 12);
      const Tensor logits = model(pack({sources[i]}), pack({together[i]}));
      for (std::size_t place = 0; place < together[i].size(); ++place) {
        const auto row = logits.values<float>().subspan(8 * place, 8);
        for (std::size_t id = 0; id < 8; ++id) {
          if (id != 2) CHECK(row[id] <= row[static_cast<std::size_t>(together[i][place])] + 1e-5f);
        }
      }
    }
  }
}

TEST_CASE("the model learns to write a sequence backwards, also those it was not shown") {
  const WithThreads scope(1);  // the steps are too small to share
  for (const nn::AttentionConfig& attention : both_attentions) {
    Rng rng(1), data(2);
    EncoderDecoderConfig config = small_config(attention);
    config.source_vocab = config.target_vocab = 5;
    config.max_length = 6, config.hidden = 32, config.mlp = 64, config.heads = 4;
    config.encoder_blocks = config.decoder_blocks = 1;
    const EncoderDecoder model(config, rng);
    const auto draw = [&](std::vector<Ids>& sources, std::vector<Ids>& targets) {
      sources.assign(32, {});
      targets.clear();
      for (Ids& source : sources) {
        const std::int64_t length = 1 + data.below(6);
        for (std::int64_t i = 0; i < length; ++i) source.push_back(data.below(5));
        targets.emplace_back(source.rbegin(), source.rend());
      }
    };
    std::vector<Ids> sources, targets;
    nn::AdamW optimiser(model);
    const auto schedule = nn::Schedule::warmup_cosine(5e-3, 50, 500);
    for (std::int64_t step = 1; step <= 500; ++step) {
      draw(sources, targets);
      Tape tape(model);
      optimiser.step(tape.gradients(model.loss(pack(sources), pack(targets))), schedule(step));
    }
    draw(sources, targets);
    const std::vector<Ids> written = model.greedy(pack(sources), {.max_tokens = 6});
    int right = 0;
    for (std::size_t i = 0; i < written.size(); ++i) right += written[i] == targets[i] ? 1 : 0;
    CHECK(right >= 30);
  }
}

TEST_CASE("dropout acts in training only, and its masks are a function of key and step") {
  EncoderDecoderConfig config = small_config();
  config.dropout = 0.5;
  const EncoderDecoder model = random_model(config);
  const Packed source = pack({{1, 2, 3}}), target = pack({{4, 5}});
  CHECK(same_bits(model(source, target), model(source, target)));
  CHECK(same_bits(model(source, target, nn::Training{1, 1}), model(source, target, nn::Training{1, 1})));
  CHECK_FALSE(same_bits(model(source, target, nn::Training{1, 1}), model(source, target, nn::Training{1, 2})));
}

TEST_CASE("the encoder–decoder model refuses what makes no sense") {
  const EncoderDecoder model = random_model(small_config());
  CHECK(contains(error_of([&] { model(pack({{1}, {2}}), pack({{1}})); }), "2 sources and 1 targets"));
  CHECK(contains(error_of([&] { model(pack({{1}, {}}), pack({{1}, {2}})); }), "model: sequence 1 is empty"));
  CHECK(contains(error_of([&] { model(pack({{1}}), pack({{7}})); }), "target id 7 is outside of the vocabulary of 7"));
  CHECK(contains(error_of([&] { model(pack({{9}}), pack({{1}})); }), "9"));
  CHECK(contains(error_of([&] { model(pack({random_ids(151, 9, 1)}), pack({{1}})); }), "has 151 tokens, at most 150"));
  CHECK(contains(error_of([&] { model(pack({{1}}), pack({random_ids(151, 7, 1)})); }), "has 152 tokens, at most 151"));
  EncoderDecoderState state = model.start(pack({{1}, {2}}));
  CHECK(contains(error_of([&] { model.step(tensor_of({1}), state); }), "one token of each stream, ids (2,)"));
  Rng rng(1);
  auto error_of_config = [&](auto change) {
    EncoderDecoderConfig config = small_config();
    change(config);
    return error_of([&] { EncoderDecoder(config, rng); });
  };
  CHECK(contains(error_of_config([](auto& c) { c.source_vocab = 0; }), "encoder_decoder: source_vocab is 0"));
  CHECK(contains(error_of_config([](auto& c) { c.target_vocab = -1; }), "encoder_decoder: target_vocab is -1"));
  CHECK(contains(error_of_config([](auto& c) { c.max_length = 0; }), "encoder_decoder: max_length is 0"));
  CHECK(contains(error_of_config([](auto& c) { c.decoder_blocks = 0; }), "0 blocks, at least 1 wanted"));
  CHECK(contains(error_of_config([](auto& c) { c.heads = 3; }), "hidden size 8 does not divide into 3 heads"));
  CHECK(contains(error_of_config([](auto& c) { c.mlp = -1; }), "encoder_decoder: mlp is -1"));
}
