// Training with products in bfloat16.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <lintel/core/matmul_precision.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/models/classifier.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/optimiser.hpp>

#include "module_helpers.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

constexpr std::int64_t vocab = 20;

models::Classifier small_classifier(const nn::AttentionConfig& attention, std::uint64_t seed = 1) {
  Rng rng(seed);
  return models::Classifier({.vocab = vocab,
                             .classes = 2,
                             .max_length = 64,
                             .hidden = 64,
                             .mlp = 128,
                             .heads = 4,
                             .blocks = 2,
                             .attention = attention,
                             .pooling = "mean"},
                            rng);
}

/// Sequences whose label says whether more than half of their tokens are from the upper half of the vocabulary.
Batch counting_batch(Rng& rng) {
  std::vector<std::vector<std::int64_t>> sequences(16);
  std::vector<std::int64_t> labels;
  for (auto& sequence : sequences) {
    std::int64_t upper = 0;
    for (std::int64_t i = 0; i < 31; ++i) {
      sequence.push_back(rng.below(vocab));
      upper += sequence.back() >= vocab / 2;
    }
    labels.push_back(upper > 15);
  }
  return {pack(sequences), Tensor({16}, labels)};
}

Tensor loss_of(const models::Classifier& model, const Batch& batch) {
  return nn::cross_entropy(model(batch.tokens), batch.labels);
}

/// The losses of 80 steps, and the weights after them.
struct Run {
  models::Classifier model;
  std::vector<double> losses;
};

Run train(DType type, const nn::AttentionConfig& attention, int thread_count, std::uint64_t seed = 1) {
  const WithThreads with(thread_count);
  const MatmulPrecision precision(type);
  Run run{small_classifier(attention, seed), {}};
  nn::AdamW optimiser(run.model, {});
  Rng data(7);
  for (int step = 0; step < 80; ++step) {
    const Batch batch = counting_batch(data);
    Tape tape(run.model);
    const Tensor loss = loss_of(run.model, batch);
    optimiser.step(tape.gradients(loss), 1e-3);
    run.losses.push_back(loss.item());
  }
  return run;
}

/// The largest distance between two learning curves.
double gap(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t step = 0; step < a.size(); ++step) largest = std::max(largest, std::abs(a[step] - b[step]));
  return largest;
}

double mean_of_last(const std::vector<double>& losses, std::size_t count) {
  double sum = 0;
  for (std::size_t i = losses.size() - count; i < losses.size(); ++i) sum += losses[i];
  return sum / static_cast<double>(count);
}

const std::vector<nn::AttentionConfig> attentions = {nn::KernelAttentionConfig{.feature_map = "glu", .layers = 2},
                                                     nn::SoftmaxAttentionConfig{}};

}  // namespace

TEST_CASE("the loss of training in bfloat16 stays closer to that of float32 than another seed's does") {
  for (const nn::AttentionConfig& attention : attentions) {
    const std::vector<double> wide = train(DType::float32, attention, 2).losses;
    const std::vector<double> narrow = train(DType::bfloat16, attention, 2).losses;
    for (const std::uint64_t seed : {2, 3}) {
      CHECK(gap(wide, narrow) < gap(wide, train(DType::float32, attention, 2, seed).losses));
    }
    CHECK(gap(wide, narrow) > 0);                        // else the products were in float32
    CHECK(mean_of_last(wide, 10) < 0.7 * wide.front());  // and there was something to follow
    CHECK(mean_of_last(narrow, 10) == doctest::Approx(mean_of_last(wide, 10)).epsilon(0.05));
  }
}

TEST_CASE("training in bfloat16 gives the same bits with 1, 2 and 7 threads") {
  for (const nn::AttentionConfig& attention : attentions) {
    const Run one = train(DType::bfloat16, attention, 1);
    for (const int thread_count : {2, 7}) {
      const Run several = train(DType::bfloat16, attention, thread_count);
      CHECK(one.losses == several.losses);
      const auto left = nn::named_parameters(one.model), right = nn::named_parameters(several.model);
      for (std::size_t i = 0; i < left.size(); ++i) CHECK(same_bits(left[i].tensor, right[i].tensor));
    }
  }
}

TEST_CASE("gradients have the precision of the forward pass, wherever they are asked for") {
  const models::Classifier model = small_classifier(attentions[0]);
  Rng data(7);
  const Batch batch = counting_batch(data);
  const auto gradient = [&](DType forward, DType backward) {
    const MatmulPrecision outer(backward);
    Tape tape(model);
    const Tensor loss = [&] {
      const MatmulPrecision precision(forward);
      return loss_of(model, batch);
    }();
    return tape.gradients(loss)[std::get<nn::FeedForward>(model.encoder.blocks[0].feed_forward.kind).up.weight];
  };
  const Tensor narrow = gradient(DType::bfloat16, DType::bfloat16), wide = gradient(DType::float32, DType::float32);
  CHECK(same_bits(narrow, gradient(DType::bfloat16, DType::float32)));
  CHECK(same_bits(wide, gradient(DType::float32, DType::bfloat16)));
  CHECK_FALSE(same_bits(narrow, wide));
  CHECK(narrow.dtype() == DType::float32);
}
