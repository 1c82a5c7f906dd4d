// The dual encoder: sizes, packed and padded batches, gradients, a task that it learns, bad input.
#include <doctest/doctest.h>

#include <algorithm>

#include <lintel/models/classifier.hpp>
#include <lintel/models/dual_encoder.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/optimiser.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;
using models::DualEncoder;
using models::DualEncoderConfig;

namespace {

using TokenLists = std::vector<std::vector<std::int64_t>>;

const std::vector<nn::AttentionConfig> both_attentions = {nn::KernelAttentionConfig{}, nn::SoftmaxAttentionConfig{}};

DualEncoderConfig small_config(const nn::AttentionConfig& attention = nn::KernelAttentionConfig{},
                               const std::string& pooling = "cls", const std::string& interaction = "none") {
  return {.vocab = 11,
          .classes = 3,
          .max_length = 6,
          .hidden = 8,
          .mlp = 12,
          .heads = 2,
          .blocks = 2,
          .attention = attention,
          .pooling = pooling,
          .interaction = interaction};
}

DualEncoder random_dual_encoder(const DualEncoderConfig& config) {
  Rng rng(1);
  const DualEncoder model(config, rng);
  randomise(model, rng);
  return model;
}

/// Calls `check(model)` for every attention, pooling and interaction.
template <class Check>
void for_each_kind(const Check& check) {
  for (const nn::AttentionConfig& attention : both_attentions) {
    for (const char* pooling : {"cls", "mean"}) {
      for (const char* interaction : {"none", "nli"}) {
        check(random_dual_encoder(small_config(attention, pooling, interaction)));
      }
    }
  }
}

const TokenLists first_texts = {{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10}};
const TokenLists second_texts = {{3, 3}, {1, 2, 3, 4, 5}, {0}};

std::string error_of_call(const Packed& first, const Packed& second) {
  return error_of([&] { random_dual_encoder(small_config())(first, second); });
}

}  // namespace

TEST_CASE("the parameters of the paper's matching model are those of its parts") {
  const std::int64_t vocab = 257, length = 4000, h = 128, mlp = 512, heads = 8, d = h / heads, blocks = 4;
  const std::int64_t embedding = (vocab + length + 1) * h;
  const std::int64_t attention = 4 * (h * h + h) + heads * 2 * d * d, network = h * mlp + mlp + mlp * h + h;
  const std::int64_t block = attention + network + 2 * 2 * h;
  for (const std::int64_t vectors : {2, 4}) {
    const std::int64_t head = vectors * h * mlp + mlp + mlp * (mlp / 2) + mlp / 2 + 2 * (mlp / 2) + 2;
    Rng rng(1);
    const DualEncoder model({.vocab = vocab,
                             .max_length = length,
                             .hidden = h,
                             .mlp = mlp,
                             .heads = heads,
                             .blocks = blocks,
                             .interaction = vectors == 2 ? "none" : "nli"},
                            rng);
    CHECK(nn::parameter_count(model) == embedding + blocks * block + head);
  }
}

TEST_CASE("parameters are named as in the equivalent PyTorch module, and there is no last norm") {
  std::vector<std::string> names;
  for (const auto& [name, x] : nn::named_parameters(random_dual_encoder(small_config()))) names.push_back(name);
  for (const char* wanted : {"embedding.tokens.weight", "embedding.cls", "blocks.1.attention.feature_map.layers.0.gate",
                             "head.dense1.weight", "head.dense2.bias", "head.out.weight"}) {
    CHECK(std::count(names.begin(), names.end(), wanted) == 1);
  }
  CHECK(std::count(names.begin(), names.end(), "norm.weight") == 0);
}

TEST_CASE("the encoder starts as a classifier's of the same seed does") {
  Rng rng(1), again(1);
  const DualEncoder pairs(small_config(), rng);
  const models::Classifier single(
      {.vocab = 11, .classes = 3, .max_length = 6, .hidden = 8, .mlp = 12, .heads = 2, .blocks = 2}, again);
  CHECK(same_bits(pairs.encoder(pack(first_texts), std::nullopt),
                  models::SequenceEncoder(pairs.encoder)(pack(first_texts), std::nullopt)));
  CHECK(same_bits(pairs.encoder.embedding.tokens.weight, single.encoder.embedding.tokens.weight));
  CHECK(same_bits(pairs.encoder.blocks[1].attention.orthogonality_penalty(),
                  single.encoder.blocks[1].attention.orthogonality_penalty()));
}

TEST_CASE("the logits are the head's of both vectors, and of their product and difference where asked for") {
  for_each_kind([](const DualEncoder& model) {
    const Tensor first = model.encoder(pack(first_texts), std::nullopt);
    const Tensor second = model.encoder(pack(second_texts), std::nullopt);
    const std::int64_t hidden = 8, vectors = model.config.interaction == "nli" ? 4 : 2;
    const Tensor seen = zeros({3, vectors * hidden});
    auto* const to = write<float>(seen, "test");
    for (std::int64_t i = 0; i < 3; ++i) {
      for (std::int64_t j = 0; j < hidden; ++j) {
        const float x = first.data<float>()[i * hidden + j], y = second.data<float>()[i * hidden + j];
        const float all[] = {x, y, x * y, x - y};
        for (std::int64_t k = 0; k < vectors; ++k) to[(i * vectors + k) * hidden + j] = all[k];
      }
    }
    const auto& [dense1, dense2, out, interaction] = model.head;
    const Tensor wanted = out(dense2(dense1(seen, Activation::relu), Activation::relu));
    CHECK(largest_difference(model(pack(first_texts), pack(second_texts)), wanted) < 1e-5);
  });
}

TEST_CASE("packed, padded and single pairs give the same logits, whatever stands in the padding") {
  const auto padded = [](const TokenLists& texts, std::int64_t length, std::int64_t filler) {
    std::vector<std::int64_t> ids;
    for (const auto& text : texts) {
      ids.insert(ids.end(), text.begin(), text.end());
      ids.resize(ids.size() + static_cast<std::size_t>(length) - text.size(), filler);
    }
    return Tensor({static_cast<std::int64_t>(texts.size()), length}, ids);
  };
  for_each_kind([&](const DualEncoder& model) {
    const Tensor wanted = model(pack(first_texts), pack(second_texts));
    CHECK(wanted.shape() == Shape{3, 3});
    for (const std::int64_t filler : {0, 10, -1}) {
      const Tensor found = model(padded(first_texts, 8, filler), padded(second_texts, 5, filler), {3, 1, 6}, {2, 5, 1});
      CHECK(largest_difference(found, wanted) < 1e-5);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      const Tensor row = share_buffer(wanted, {1, 3}, static_cast<std::int64_t>(i) * 3);
      CHECK(largest_difference(model(pack({first_texts[i]}), pack({second_texts[i]})), row) < 1e-5);
    }
  });
  const DualEncoder model = random_dual_encoder(small_config());
  CHECK(largest_difference(model(padded({{1, 2}, {3, 4}}, 2, 0), padded({{5}, {6}}, 1, 0)),
                           model(pack({{1, 2}, {3, 4}}), pack({{5}, {6}}))) < 1e-5);
}

TEST_CASE("gradients of the loss are right for every parameter") {
  const Tensor labels({2}, {std::int64_t{2}, std::int64_t{0}});
  for (const nn::AttentionConfig& attention : both_attentions) {
    for (const char* interaction : {"none", "nli"}) {
      DualEncoderConfig config = small_config(attention, "cls", interaction);
      config.hidden = 4, config.mlp = 4, config.vocab = 4, config.max_length = 3, config.blocks = 1;
      const DualEncoder model = in_float64(random_dual_encoder(config));
      gradcheck_module(model, Tensor(), [&](const DualEncoder& pairs, const Tensor&) {
        return nn::cross_entropy(pairs(pack({{1, 2, 3}, {0}}), pack({{3, 1}, {2, 2}})), labels);
      });
    }
  }
}

TEST_CASE("dropout acts in training only, by key and step, and differently on the two texts of a pair") {
  DualEncoderConfig config = small_config(nn::KernelAttentionConfig{.dropout = 0.3}, "mean", "nli");
  config.dropout = 0.3;
  const DualEncoder model = random_dual_encoder(config);
  const Packed texts = pack(first_texts), others = pack(second_texts);
  CHECK(same_bits(model(texts, others), model(texts, others)));
  CHECK(same_bits(model(texts, others, nn::Training{1, 5}), model(texts, others, nn::Training{1, 5})));
  CHECK_FALSE(same_bits(model(texts, others, nn::Training{1, 5}), model(texts, others, nn::Training{1, 6})));
  CHECK_FALSE(same_bits(model(texts, others), model(texts, others, nn::Training{1, 5})));

  // With a head that passes on the difference of the vectors, a text and itself differ by their masks alone.
  const Packed both = pack({{1, 2, 3}, {1, 2, 3}});
  const Tensor masked = model.encoder(both, nn::Training{1, 5});
  CHECK_FALSE(same_bits(share_buffer(masked, {8}, 0), share_buffer(masked, {8}, 8)));
}

TEST_CASE("whether two strings hold the same letters is learnt, and is told of strings that training had not") {
  const std::int64_t letters = 4, length = 4;
  Rng rng(3), data(4);
  const DualEncoder model({.vocab = letters,
                           .max_length = length,
                           .hidden = 16,
                           .mlp = 32,
                           .heads = 2,
                           .blocks = 1,
                           .pooling = "mean",
                           .interaction = "nli"},
                          rng);
  // Half of the pairs are anagrams; in the others one letter of the anagram was replaced.
  const auto draw = [&](std::int64_t pairs) {
    TokenLists first, second;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < pairs; ++i) {
      std::vector<std::int64_t> text;
      for (std::int64_t j = 0; j < length; ++j) text.push_back(data.below(letters));
      first.push_back(text);
      for (std::int64_t j = length - 1; j > 0; --j) {
        std::swap(text[static_cast<std::size_t>(j)], text[static_cast<std::size_t>(data.below(j + 1))]);
      }
      labels.push_back(data.below(2));
      if (labels.back() == 0) text[0] = (text[0] + 1 + data.below(letters - 1)) % letters;
      second.push_back(text);
    }
    return std::tuple{pack(first), pack(second), Tensor({pairs}, labels)};
  };
  nn::AdamW optimiser(model);
  for (int step = 0; step < 600; ++step) {
    const auto [first, second, labels] = draw(32);
    Tape tape(model);
    const Tensor loss = nn::cross_entropy(model(first, second), labels);
    optimiser.step(tape.gradients(loss), 5e-3);
  }
  const auto [first, second, labels] = draw(500);
  const Tensor logits = model(first, second);
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < 500; ++i) {
    const float* const row = logits.data<float>() + 2 * i;
    right += (row[1] > row[0]) == (labels.data<std::int64_t>()[i] == 1);
  }
  CHECK(right > 475);
}

TEST_CASE("a batch that makes no sense is refused") {
  const Packed two = pack({{1}, {2}});
  CHECK(contains(error_of_call(two, pack({{1}})),
                 "dual_encoder: 2 first and 1 second sequences, as many of both wanted"));
  CHECK(contains(error_of_call(two, pack({{1}, {11}})), "11"));
  CHECK(contains(error_of_call(two, pack({{1}, {}})), "model: sequence 3 is empty, at least one token wanted"));
  CHECK(contains(error_of_call(pack({{1, 2, 3, 4, 5, 6, 7}, {1}}), two),
                 "model: sequence 0 has 7 tokens, at most 6 wanted"));
  CHECK(contains(error_of_call(pack({}), pack({})), "model: the batch holds no sequence"));
  CHECK(contains(error_of_call({zeros({3}, DType::int64), two.offsets}, two),
                 "dual_encoder: ids have shape (3,), (2,) wanted"));
  CHECK_FALSE(error_of_call({zeros({2}), two.offsets}, two).empty());
  CHECK_FALSE(error_of_call({Tensor(), Tensor()}, two).empty());
  const DualEncoder model = random_dual_encoder(small_config());
  const Tensor ids = zeros({2, 3}, DType::int64);
  CHECK(contains(error_of([&] { model(zeros({3}, DType::int64), ids); }), "dual_encoder: ids have shape (3,), (B, N)"));
  CHECK_FALSE(error_of([&] { model(ids, ids, {1}, {1, 1}); }).empty());
  CHECK_FALSE(error_of([&] { model(ids, ids, {1, 4}); }).empty());
}

TEST_CASE("a config that makes no sense is refused") {
  const auto changed = [](auto change) {
    DualEncoderConfig config = small_config();
    change(config);
    return error_of([&] {
      Rng rng(1);
      DualEncoder(config, rng);
    });
  };
  CHECK(contains(changed([](auto& c) { c.vocab = 0; }), "dual_encoder: vocab is 0, at least 1 wanted"));
  CHECK(contains(changed([](auto& c) { c.classes = 0; }), "dual_encoder: classes is 0"));
  CHECK(contains(changed([](auto& c) { c.mlp = 1; }), "dual_encoder: mlp is 1, at least 2 wanted"));
  CHECK(contains(changed([](auto& c) { c.pooling = "max"; }), "dual_encoder: unknown pooling \"max\""));
  CHECK(contains(changed([](auto& c) { c.interaction = "product"; }),
                 "dual_encoder: unknown interaction \"product\", one of none, nli wanted"));
}
