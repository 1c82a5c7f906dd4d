// The small layers: linear, embedding, norms, dropout, feedforward network.
#include <doctest/doctest.h>

#include <lintel/autograd/tape.hpp>
#include <lintel/nn/embedding.hpp>
#include <lintel/nn/feed_forward.hpp>
#include <lintel/nn/linear.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/norm.hpp>
#include <lintel/nn/swiglu.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/reduce.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

TEST_CASE("a linear layer is x Wᵀ + b, whatever stands before the last axis") {
  Rng rng(1);
  nn::Linear layer(3, 5, rng);
  randomise(layer, rng);
  const Tensor x = normal({2, 4, 3}, 0, 1, rng);
  const Tensor flat = share_buffer(x, {8, 3});
  const Tensor wanted = matmul(flat, layer.weight, {.transpose_b = true}) + layer.bias;
  const Tensor y = layer(x);
  CHECK(y.shape() == Shape{2, 4, 5});
  CHECK(largest_difference(share_buffer(y, {8, 5}), wanted) < 1e-5);
  CHECK(largest_difference(layer(flat, Activation::gelu), gelu(wanted)) < 1e-5);
}

TEST_CASE("a linear layer starts with zero biases, or has none") {
  Rng rng(1);
  CHECK(largest_difference(nn::Linear(3, 5, rng).bias, zeros({5})) == 0);
  const nn::Linear layer(3, 5, rng, {.bias = false});
  CHECK_FALSE(layer.bias.defined());
  CHECK(layer(ones({1, 3})).shape() == Shape{1, 5});
}

TEST_CASE("an embedding returns a row for each id and knows its standard deviation") {
  Rng rng(1);
  const nn::Embedding table(4, 3, rng);
  const Tensor rows = table(Tensor({2}, {std::int64_t{3}, std::int64_t{0}}));
  CHECK(same_bits(share_buffer(rows, {3}), share_buffer(table.weight, {3}, 9)));
  CHECK(largest_difference(table.weight, zeros({4, 3})) < 0.2);
  CHECK(largest_difference(nn::Embedding(4, 3, rng, {.standard_deviation = 0}).weight, zeros({4, 3})) == 0);
}

TEST_CASE("norms start as plain normalisation") {
  Rng rng(1);
  const Tensor x = normal({6, 64}, 3, 2, rng);
  const Tensor centred = nn::LayerNorm(64)(x), scaled = nn::RMSNorm(64)(x);
  for (std::int64_t row = 0; row < 6; ++row) {
    double sum = 0, squares = 0, scaled_squares = 0;
    for (std::int64_t i = 0; i < 64; ++i) {
      const double element = centred.data<float>()[row * 64 + i], other = scaled.data<float>()[row * 64 + i];
      sum += element, squares += element * element, scaled_squares += other * other;
    }
    CHECK(std::abs(sum / 64) < 1e-5);
    CHECK(squares / 64 == doctest::Approx(1).epsilon(1e-4));
    CHECK(scaled_squares / 64 == doctest::Approx(1).epsilon(1e-4));
  }
}

TEST_CASE("dropout acts in training only, and its mask follows key and step") {
  const nn::Dropout dropout(0.5);
  const Tensor x = ones({1000});
  CHECK(dropout(x, std::nullopt).id() == x.id());
  CHECK(nn::Dropout(0)(x, nn::Training{1, 1}).id() == x.id());
  const Tensor y = dropout(x, nn::Training{1, 1});
  CHECK(same_bits(y, dropout(x, nn::Training{1, 1})));
  CHECK_FALSE(same_bits(y, dropout(x, nn::Training{1, 2})));
  CHECK_FALSE(same_bits(y, dropout(x, nn::Training{2, 1})));
  const nn::Training training{1, 1};
  CHECK_FALSE(same_bits(dropout(x, training.child(0)), dropout(x, training.child(1))));
}

TEST_CASE("the feedforward network drops after the activation and at the end, with masks of their own") {
  Rng rng(1);
  const nn::FeedForward network(16, 64, rng, 0.5);
  const Tensor x = normal({8, 16}, 0, 1, rng);
  const nn::Training training{7, 3};
  const Tensor hidden = network.dropout(network.up(x, Activation::gelu), training.child(0));
  CHECK(same_bits(network(x, training), network.dropout(network.down(hidden), training.child(1))));
  CHECK(same_bits(network(x), network.down(network.up(x, Activation::gelu))));
}

TEST_CASE("gradients of the small layers are right") {
  Rng rng(1);
  const Tensor x = normal({3, 4}, 0, 1, rng, DType::float64);
  auto apply = [](const auto& layer, const Tensor& input) { return layer(input); };
  auto check = [&](const auto& layer) {
    const auto wide = in_float64(layer);
    randomise(wide, rng);
    gradcheck_module(wide, x, apply);
  };
  check(nn::Linear(4, 2, rng));
  check(nn::LayerNorm(4));
  check(nn::RMSNorm(4));
  check(nn::FeedForward(4, 6, rng));
  check(nn::SwiGlu(4, 6, rng));
  check(nn::Norm(4, {.kind = "rms"}));
}

TEST_CASE("swiglu is down(silu(gate(x)) ⊙ up(x)), with dropout behind both steps") {
  Rng rng(1);
  const nn::SwiGlu network(4, 6, rng, 0.5);
  const Tensor x = normal({3, 4}, 0, 1, rng);
  CHECK(largest_difference(network(x), network.down(silu(network.gate(x)) * network.up(x))) < 1e-6);
  const nn::Training training{1, 1};
  const Tensor gated = network.dropout(silu(network.gate(x)) * network.up(x), training.child(0));
  CHECK(largest_difference(network(x, training), network.dropout(network.down(gated), training.child(1))) < 1e-6);
  CHECK(nn::parameter_count(nn::SwiGlu(4, 6, rng, 0, {.bias = false})) == 3 * 4 * 6);
}

TEST_CASE("a network that computes its inner values once more gives the same bits and keeps nothing of their size") {
  constexpr std::int64_t rows = 700, hidden = 8, mlp = 48;
  const nn::Training training{1, 1};
  for (const std::string kind : {"gelu", "swiglu"}) {
    Rng rng(1), other(1), data(2);
    const nn::Mlp keeping(hidden, mlp, rng, {.kind = kind, .dropout = 0.5});
    const nn::Mlp recomputing(hidden, mlp, other, {.kind = kind, .dropout = 0.5, .recompute = true});
    const Tensor x = normal({rows, hidden}, 0, 1, data);
    auto step = [&](const nn::Mlp& network) {
      Tape tape(network);
      const Tensor y = network(x, training, x);
      std::int64_t wide = 0;
      for (const Record& record : tape.records()) {
        for (const SavedTensor& saved : record.saved) wide += saved.tensor.size() == rows * mlp ? 1 : 0;
      }
      const Gradients gradients = tape.gradients(sum(y * y));
      std::vector<Tensor> found{y};
      for (const NamedTensor& parameter : nn::named_parameters(network)) found.push_back(gradients[parameter.tensor]);
      return std::pair(found, wide);
    };
    const auto [kept, wide] = step(keeping);
    const auto [recomputed, none] = step(recomputing);
    CHECK(std::equal(kept.begin(), kept.end(), recomputed.begin(), recomputed.end(), same_bits));
    CHECK(wide == (kind == "gelu" ? 1 : 2));
    CHECK(none == 0);
  }
}

TEST_CASE("norms and networks chosen by name are those that the names say") {
  Rng rng(1);
  const Tensor x = normal({3, 4}, 2, 1, rng);
  CHECK(same_bits(nn::Norm(4)(x), nn::LayerNorm(4)(x)));
  CHECK(same_bits(nn::Norm(4, {.kind = "rms", .epsilon = 0.1})(x), nn::RMSNorm(4, 0.1)(x)));
  Rng one(2), two(2);
  CHECK(same_bits(nn::Mlp(4, 6, one)(x), nn::FeedForward(4, 6, two)(x)));
  CHECK(same_bits(nn::Mlp(4, 6, one, {.kind = "swiglu"})(x), nn::SwiGlu(4, 6, two)(x)));
  CHECK(contains(error_of([&] { nn::Norm(4, {.kind = "batch"}); }),
                 "norm: unknown kind \"batch\", one of layer, rms wanted"));
  CHECK(contains(error_of([&] { nn::Mlp(4, 6, rng, {.kind = "moe"}); }),
                 "feed_forward: unknown kind \"moe\", one of gelu, swiglu wanted"));
}

TEST_CASE("losses are known under nn too") {
  const Tensor logits = zeros({2, 4}), labels = zeros({2}, DType::int64);
  CHECK(nn::cross_entropy(logits, labels).item() == doctest::Approx(std::log(4.0)));
  CHECK(nn::mse(ones({3}), zeros({3})).item() == doctest::Approx(1));
}

TEST_CASE("layers refuse sizes and rates that make no sense") {
  Rng rng(1);
  CHECK(contains(error_of([&] { nn::Linear(0, 5, rng); }), "linear: sizes are 0 -> 5, at least 1 wanted"));
  CHECK(contains(error_of([&] { nn::Embedding(0, 5, rng); }), "embedding: the table is 0 x 5"));
  CHECK(contains(error_of([&] { nn::Embedding(5, 5, rng, {.standard_deviation = -1}); }), "standard deviation is -1"));
  CHECK(contains(error_of([&] { nn::LayerNorm(0); }), "layer_norm: hidden size is 0"));
  CHECK(contains(error_of([&] { nn::RMSNorm(-1); }), "rms_norm: hidden size is -1"));
  CHECK(contains(error_of([&] { nn::Dropout(1); }), "dropout: rate is 1, at least 0 and below 1 wanted"));
  CHECK(contains(error_of([&] { nn::Dropout(NAN); }), "dropout: rate is nan"));
}
