// No layer forgets to name a member in its `visit`: a forgotten one would be neither trained nor saved.
#include <doctest/doctest.h>

#include <lintel/nn/block.hpp>
#include <lintel/nn/embedding.hpp>
#include <lintel/nn/swiglu.hpp>
#include <lintel/ops/elementwise.hpp>

#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

/// y = x ⊙ scale + shift, of which `visit` forgets one.
struct Forgetful {
  Tensor scale = ones({4}), shift = zeros({4});
  Tensor operator()(const Tensor& x) const { return x * scale + shift; }
  static void visit(auto& self, auto&& f) { f("scale", self.scale); }
};

/// An embedding whose table nobody knows of: its result is on no tape.
struct ForgetfulEmbedding {
  nn::Embedding table;
  static void visit(auto&, auto&&) {}
};

}  // namespace

TEST_CASE("the test finds a forgotten member") {
  const Forgetful layer;
  const Tensor x = ones({2, 4});
  const auto ops = ops_that_read_forgotten_members(layer, x, [&] { return layer(x); });
  REQUIRE(ops.size() == 1);
  CHECK(ops[0] == "add in ");
  Rng rng(1);
  const ForgetfulEmbedding embedding{nn::Embedding(3, 4, rng)};
  const Tensor ids = zeros({2}, DType::int64);
  CHECK(ops_that_read_forgotten_members(embedding, Tensor(), [&] { return embedding.table(ids); }).size() == 1);
}

TEST_CASE("no layer forgets a member") {
  Rng rng(1);
  const Tensor x = normal({6, 8}, 0, 1, rng), heads = normal({6, 2, 4}, 0, 1, rng);
  const Tensor ids = zeros({2}, DType::int64);
  const Sequences sequences = Sequences::padded(1, 6);
  const nn::Training training{1, 1};
  const std::vector<std::string> none;
  auto check = [&](const auto& layer, const Tensor& input, const auto& call) {
    CHECK(ops_that_read_forgotten_members(layer, input, [&] { return call(layer, input); }) == none);
  };
  auto apply = [](const auto& layer, const Tensor& input) { return layer(input); };
  check(nn::Linear(8, 4, rng), x, apply);
  check(nn::LayerNorm(8), x, apply);
  check(nn::RMSNorm(8), x, apply);
  check(nn::FeedForward(8, 16, rng, 0.5), x, [&](const auto& layer, const Tensor& y) { return layer(y, training); });
  check(nn::SwiGlu(8, 16, rng, 0.5), x, [&](const auto& layer, const Tensor& y) { return layer(y, training); });
  check(nn::Mlp(8, 16, rng, {.kind = "swiglu", .dropout = 0.5}), x,
        [&](const auto& layer, const Tensor& y) { return layer(y, training); });
  check(nn::Norm(8), x, apply);
  check(nn::Norm(8, {.kind = "rms"}), x, apply);
  check(nn::Embedding(3, 8, rng), Tensor(), [&](const auto& layer, const Tensor&) { return layer(ids); });
  for (const char* kind : {"linear", "glu", "lowrank_glu"}) {
    check(nn::FeatureMap(2, 4, rng, {.kind = kind, .layers = 2, .bias = true, .dropout = 0.5}), heads,
          [&](const auto& layer, const Tensor& y) { return layer(y, training); });
  }
  for (const std::string& kind : nn::feature_map_kinds()) {
    CAPTURE(kind);
    const nn::KernelAttention attention(8, 2, rng, {.feature_map = kind, .dropout = 0.5, .normaliser = "rmsnorm"},
                                        {.qk_norm = true, .convolution = 2});
    // W + I of residual, and the fixed matrices of favor.
    const std::vector<std::string> constants = kind == "residual" ? std::vector<std::string>{"add in "}
                                               : kind == "favor"  ? std::vector<std::string>(2, "kernel_attention in ")
                                                                  : none;
    CHECK(ops_that_read_forgotten_members(attention, x, [&] { return attention(x, sequences, true, training); }) ==
          constants);
  }
  for (const nn::AttentionConfig& config :
       {nn::AttentionConfig(nn::KernelAttentionConfig{}), nn::AttentionConfig(nn::SoftmaxAttentionConfig{})}) {
    check(nn::TransformerBlock({.hidden = 8, .mlp = 16, .heads = 2, .attention = config, .dropout = 0.5}, rng), x,
          [&](const auto& layer, const Tensor& y) { return layer(y, sequences, false, training); });
    check(nn::TransformerBlock(
              {.hidden = 8,
               .mlp = 16,
               .heads = 2,
               .attention = config,
               .dropout = 0.5,
               .head = {.kv_heads = 1, .bias = false, .rotary_base = 100, .qk_norm = true, .convolution = 2},
               .norm = {.kind = "rms"},
               .feed_forward = "swiglu",
               .bias = false},
              rng),
          x, [&](const auto& layer, const Tensor& y) { return layer(y, sequences, true, training); });
  }
}
