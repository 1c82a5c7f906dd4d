// A program that uses Lintel the way README.md shows. Each way of building it must give the same model.
#if __has_include("lintel.hpp")
#include "lintel.hpp"  // the two-file build
#else
#include <lintel/lintel.hpp>
#endif

#include <cstdio>
#include <vector>

using namespace lintel;

// Sequences of random tokens, labelled by their first token.
std::vector<Batch> make_batches(int count) {
  Rng rng(7);
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) {
    std::vector<std::vector<std::int64_t>> sequences(16);
    std::vector<std::int64_t> labels;
    for (auto& sequence : sequences) {
      const std::int64_t length = 1 + rng.below(12);
      for (std::int64_t place = 0; place < length; ++place) sequence.push_back(rng.below(10));
      labels.push_back(sequence.front());
    }
    batches.push_back({pack(sequences), Tensor({16}, labels)});
  }
  return batches;
}

int main() {
  const std::vector<Batch> batches = make_batches(60);
  const auto schedule = nn::Schedule::warmup_cosine(3e-3, 10, 60);
  double first_loss = 0, last_loss = 0;

  Rng rng(1);
  models::Classifier model({.vocab = 17,
                            .classes = 10,
                            .max_length = 2000,
                            .hidden = 128,
                            .heads = 4,
                            .blocks = 2,
                            .attention = nn::KernelAttentionConfig{.feature_map = "glu", .layers = 1}},
                           rng);
  nn::AdamW optimiser(model, {.weight_decay = 0.1});
  std::int64_t step = 0;
  for (const Batch& batch : batches) {
    Tape tape(model);
    Tensor loss = nn::cross_entropy(model(batch.tokens, nn::Training{rng.key(), step}), batch.labels);
    optimiser.step(tape.gradients(loss), schedule(++step));
    last_loss = loss.item();
    if (step == 1) first_loss = last_loss;
  }
  save(model, "model.safetensors");

  std::printf("loss %.4f -> %.4f\n", first_loss, last_loss);
  return last_loss < 0.5 * first_loss ? 0 : 1;
}
