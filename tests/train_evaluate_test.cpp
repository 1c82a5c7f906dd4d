#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <lintel/ops/sequences.hpp>
#include <lintel/train/build_model.hpp>
#include <lintel/train/evaluate.hpp>
#include <lintel/train/generation.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using lintel_test::contains;
using lintel_test::error_of;

namespace {

RunConfig small_config() {
  RunConfig config;
  config.hidden = 8;
  config.heads = 2;
  config.blocks = 1;
  config.max_length = 12;
  return config;
}

const RunVocabulary vocabulary = {Tokeniser::bytes(), Labels::of({"a", "b", "c"})};

using Texts = std::vector<std::vector<std::int64_t>>;

ClassifyData rows_of(const Texts& texts, const Texts& others) {
  ClassifyData data;
  data.sequences = texts;
  data.second_sequences = others;
  return data;
}

// Initial models are alike for all inputs; this makes them answer differently.
template <class Model>
Model unlike(Model model) {
  lintel::Rng random(3);
  lintel::for_each_tensor(model, [&](const std::string&, lintel::Tensor& x) {
    lintel::copy_into(x, lintel::normal(x.shape(), 0, 0.7, random), "test");
  });
  return model;
}

}  // namespace

TEST_CASE("class probabilities sum to one and come in the order of the rows, of texts and of pairs") {
  const Texts texts = {{5, 6, 7, 8, 9}, {1}, {2, 3}, {250}}, others = {{4}, {1, 1, 1}, {7, 8, 9, 10, 11}, {2}};
  for (const char* task : {"classify", "match"}) {
    RunConfig config = small_config();
    config.task = task;
    const auto model = unlike(build_classifier(config, vocabulary));
    const bool pairs = config.task == "match";
    const auto together = class_probabilities(model, rows_of(texts, pairs ? others : Texts{}));
    REQUIRE(together.size() == 4);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto alone = class_probabilities(model, rows_of({texts[i]}, pairs ? Texts{others[i]} : Texts{}));
      double sum = 0;
      for (std::size_t c = 0; c < 3; ++c) {
        CHECK(together[i][c] == doctest::Approx(alone[0][c]).epsilon(1e-4));
        sum += together[i][c];
      }
      CHECK(sum == doctest::Approx(1));
    }
  }
}

TEST_CASE("a model that compares two texts refuses rows of one") {
  RunConfig config = small_config();
  config.task = "match";
  const auto model = build_classifier(config, vocabulary);
  CHECK(contains(error_of([&] { (void)class_probabilities(model, rows_of({{1}}, {})); }), "the model compares two"));
}

TEST_CASE("accuracy and loss of a classifier are those of its probabilities") {
  const auto model = unlike(build_classifier(small_config(), vocabulary));
  ClassifyData data;
  data.sequences = {{1, 2}, {3}, {4, 5, 6}, {7}};
  data.labels = {0, 1, 2, 1};
  const auto probabilities = class_probabilities(model, data);
  double loss = 0, right = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& row = probabilities[i];
    const auto label = static_cast<std::size_t>(data.labels[i]);
    loss -= std::log(row[label]) / 4;
    right += row[label] == *std::max_element(row.begin(), row.end()) ? 1 : 0;
  }
  const Evaluation evaluation = evaluate_classifier(model, data);
  CHECK(evaluation.loss == doctest::Approx(loss).epsilon(1e-5));
  CHECK(evaluation.accuracy.value() == right / 4);
  CHECK(evaluation.targets == 4);
}

TEST_CASE("every byte of a text but the first is predicted once, from at most a piece of context") {
  const auto model = unlike(build_language_model(small_config(), vocabulary));
  const Tokeniser tokeniser = Tokeniser::bytes();
  const std::string text = "0123456789";
  // Pieces of 4: "0123", "3456", "6789": three predictions each.
  double loss = 0;
  for (const char* piece : {"0123", "3456", "6789"}) {
    loss += model.loss(lintel::pack({tokeniser.encode(piece)})).item() / 3;
  }
  const Evaluation evaluation = evaluate_language_model(model, tokeniser, text, 4);
  CHECK(evaluation.targets == 9);
  CHECK(evaluation.loss == doctest::Approx(loss).epsilon(1e-5));
  CHECK(!evaluation.accuracy);

  const Evaluation whole = evaluate_language_model(model, tokeniser, text, 12);
  CHECK(whole.loss == doctest::Approx(model.loss(lintel::pack({tokeniser.encode(text)})).item()).epsilon(1e-5));
  const Evaluation ragged = evaluate_language_model(model, tokeniser, text, 8);
  CHECK(ragged.targets == 9);
}

TEST_CASE(
    "generation reads the prompt, its own output, and never at the last position, which training leaves without a "
    "target") {
  const auto model = unlike(build_language_model(small_config(), vocabulary));
  std::vector<std::int64_t> tokens = {10, 20, 30};
  const std::vector<std::int64_t> prompt = tokens;
  generate(ReadingState(model, 12), prompt, 20, {.temperature = 0}, lintel::Rng(1), [&](std::int64_t token) {
    const std::size_t begin = tokens.size() > 11 ? tokens.size() - 11 : 0;
    const std::vector<std::int64_t> window(tokens.begin() + static_cast<std::ptrdiff_t>(begin), tokens.end());
    const lintel::Tensor logits = model(lintel::pack({window}));
    const auto last = logits.values<float>().last(256);
    CHECK(token == std::max_element(last.begin(), last.end()) - last.begin());
    tokens.push_back(token);
    return tokens.size() < 20;
  });
  CHECK(tokens.size() == 20);
}

TEST_CASE("where positions do not end, generation goes on from token to token beyond max_length") {
  for (const char* positions : {"rotary", "none"}) {
    RunConfig config = small_config();
    config.positions = positions;
    const auto model = unlike(build_language_model(config, vocabulary));
    std::vector<std::int64_t> tokens = {10, 20, 30};
    const std::vector<std::int64_t> prompt = tokens;
    generate(ReadingState(model, 12), prompt, 40, {.temperature = 0}, lintel::Rng(1), [&](std::int64_t token) {
      const lintel::Tensor logits = model(lintel::pack({tokens}));
      const auto last = logits.values<float>().last(256);
      CHECK(token == std::max_element(last.begin(), last.end()) - last.begin());
      tokens.push_back(token);
      return true;
    });
    CHECK(tokens.size() == 43);
  }
}

TEST_CASE("a saved generation goes on with the tokens that it would have drawn") {
  const lintel_test::TemporaryFolder folder;
  const auto path = folder.path() / "generation.safetensors";
  const SamplingOptions options{.temperature = 0.9, .top_k = 50};
  for (const char* attention : {"kernel", "softmax"}) {
    for (const char* positions : {"learned", "rotary"}) {
      RunConfig config = small_config();
      config.attention = attention;
      config.positions = positions;
      const auto model = unlike(build_language_model(config, vocabulary));
      const std::vector<std::int64_t> prompt = {10, 20, 30};
      std::vector<std::int64_t> whole, parts;
      auto into = [](std::vector<std::int64_t>& tokens) {
        return [&tokens](std::int64_t token) {
          tokens.push_back(token);
          return true;
        };
      };
      generate(ReadingState(model, 12), prompt, 30, options, lintel::Rng(7), into(whole));
      for (const std::int64_t count : {4, 0, 1, 20, 5}) {
        const bool begins = parts.empty();
        const Generation start = begins ? Generation{ReadingState(model, 12), lintel::Rng(7)}
                                        : load_generation(ReadingState(model, 12), path);
        const std::span<const std::int64_t> read = begins ? std::span(prompt) : std::span<const std::int64_t>();
        save_generation(generate(start, read, count, options, into(parts)), path);
      }
      CHECK(parts == whole);
    }
  }
}

TEST_CASE("a generation refuses what is not its state") {
  const lintel_test::TemporaryFolder folder;
  const auto path = folder.path() / "generation.safetensors";
  const auto model = build_language_model(small_config(), vocabulary);
  const ReadingState nothing(model, 12);
  CHECK(contains(error_of([&] { (void)ReadingState(nothing).next_logits(); }), "the prompt is empty"));
  lintel::save(model, path);
  CHECK(contains(error_of([&] { load_generation(nothing, path); }), "is not the state of a generation"));
  lintel::models::save_state(model.empty_state(), path);
  CHECK(contains(error_of([&] { load_generation(nothing, path); }), "is not the state of a generation"));
  save_generation({nothing, lintel::Rng(1)}, path);
  RunConfig config = small_config();
  config.blocks += 1;
  const auto deeper = build_language_model(config, vocabulary);
  CHECK(contains(error_of([&] { load_generation(ReadingState(deeper, 12), path); }), "does not fit"));
}

TEST_CASE("a better evaluation has the higher accuracy, then the lower loss") {
  const Evaluation good{0.5, 0.9, 10}, same_accuracy{0.4, 0.9, 10}, worse{0.1, 0.8, 10};
  CHECK(good.better_than(worse));
  CHECK(!worse.better_than(good));
  CHECK(same_accuracy.better_than(good));
  CHECK(!good.better_than(good));
  const Evaluation loss_only{1.0, std::nullopt, 10}, lower{0.9, std::nullopt, 10};
  CHECK(lower.better_than(loss_only));
}
