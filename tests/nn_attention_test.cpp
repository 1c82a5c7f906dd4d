// Attention layers and the block around them.
#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include <lintel/nn/attention.hpp>
#include <lintel/nn/block.hpp>
#include <lintel/nn/init.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/shape_ops.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

const std::vector<nn::AttentionConfig> all_attentions = {
    nn::KernelAttentionConfig{.feature_map = "linear", .bias = true}, nn::KernelAttentionConfig{},
    nn::KernelAttentionConfig{.feature_map = "lowrank_glu", .layers = 2}, nn::SoftmaxAttentionConfig{}};

nn::Attention random_attention(const nn::AttentionConfig& config, Rng& rng) {
  const nn::Attention attention(8, 2, rng, config);
  randomise(attention, rng);
  return attention;
}

Sequences sequences_of(const std::vector<std::int64_t>& offsets) {
  return Sequences::packed(Tensor({static_cast<std::int64_t>(offsets.size())}, offsets));
}

Tensor rows(const Tensor& x, std::int64_t begin, std::int64_t end) {
  return share_buffer(x, {end - begin, x.size(-1)}, begin * x.size(-1));
}

}  // namespace

TEST_CASE("parameters of attention are named alike for every kind") {
  Rng rng(1);
  std::vector<std::string> names;
  for (const auto& [name, x] : nn::named_parameters(nn::Attention(8, 2, rng, nn::SoftmaxAttentionConfig{}))) {
    names.push_back(name);
  }
  const std::vector<std::string> projections = {"q.weight", "q.bias", "k.weight", "k.bias",
                                                "v.weight", "v.bias", "o.weight", "o.bias"};
  CHECK(names == projections);
  const auto kernel = nn::named_parameters(nn::Attention(8, 2, rng));
  REQUIRE(kernel.size() == 10);
  CHECK(kernel[0].name == "q.weight");
  CHECK(kernel[9].name == "feature_map.layers.0.gate");
}

TEST_CASE("attention does not look across sequences") {
  Rng rng(1);
  const Tensor x = normal({9, 8}, 0, 1, rng);
  for (const nn::AttentionConfig& config : all_attentions) {
    const nn::Attention attention = random_attention(config, rng);
    const Tensor together = attention(x, sequences_of({0, 4, 5, 9}));
    CHECK(largest_difference(rows(together, 0, 4), attention(rows(x, 0, 4), sequences_of({0, 4}))) < 1e-6);
    CHECK(largest_difference(rows(together, 5, 9), attention(rows(x, 5, 9), sequences_of({0, 4}))) < 1e-6);
  }
}

TEST_CASE("padded attention is packed attention, and padding has no influence") {
  Rng rng(1);
  const Tensor x = normal({2, 5, 8}, 0, 1, rng);
  const Tensor packed = empty({8, 8});
  std::copy_n(x.data<float>(), 3 * 8, write<float>(packed, "test"));
  std::copy_n(x.data<float>() + 5 * 8, 5 * 8, write<float>(packed, "test") + 3 * 8);
  for (const nn::AttentionConfig& config : all_attentions) {
    const nn::Attention attention = random_attention(config, rng);
    const Tensor found = attention(x, Sequences::padded(2, 5, {3, 5}));
    CHECK(found.shape() == Shape{2, 5, 8});
    const Tensor flat = share_buffer(found, {10, 8}), wanted = attention(packed, sequences_of({0, 3, 8}));
    CHECK(largest_difference(rows(flat, 0, 3), rows(wanted, 0, 3)) < 1e-6);
    CHECK(largest_difference(rows(flat, 5, 10), rows(wanted, 3, 8)) < 1e-6);
  }
}

TEST_CASE("causal attention sees nothing that comes later, the other kind does") {
  Rng rng(1);
  const Tensor x = normal({6, 8}, 0, 1, rng), changed = clone(x);
  write<float>(changed, "test")[5 * 8] += 1;
  for (const nn::AttentionConfig& config : all_attentions) {
    const nn::Attention attention = random_attention(config, rng);
    const Tensor causal = attention(x, sequences_of({0, 6}), true),
                 after = attention(changed, sequences_of({0, 6}), true);
    CHECK(same_bits(rows(causal, 0, 5), rows(after, 0, 5)));
    CHECK_FALSE(same_bits(rows(causal, 5, 6), rows(after, 5, 6)));
    CHECK_FALSE(same_bits(rows(attention(x, sequences_of({0, 6})), 0, 5),
                          rows(attention(changed, sequences_of({0, 6})), 0, 5)));
  }
}

TEST_CASE("gradients of attention and of a whole block are right") {
  Rng rng(1);
  const Tensor x = normal({5, 4}, 0, 1, rng, DType::float64);
  const Sequences sequences = sequences_of({0, 2, 5});
  for (const nn::AttentionConfig& config : all_attentions) {
    for (const bool causal : {false, true}) {
      const auto block =
          in_float64(nn::TransformerBlock({.hidden = 4, .mlp = 6, .heads = 1, .attention = config}, rng));
      randomise(block, rng);
      gradcheck_module(block, x,
                       [&](const nn::TransformerBlock& b, const Tensor& input) { return b(input, sequences, causal); });
    }
  }
}

TEST_CASE("gradients with every normaliser, normed queries and keys, and a convolution are right") {
  Rng rng(1);
  const Tensor x = normal({7, 8}, 0, 1, rng, DType::float64);
  const Sequences sequences = sequences_of({0, 2, 7});
  std::vector<nn::AttentionConfig> configs = {nn::SoftmaxAttentionConfig{}};
  for (const std::string& kind : nn::normaliser_kinds()) {
    configs.push_back(nn::KernelAttentionConfig{.normaliser = kind});
  }
  for (const nn::AttentionConfig& config : configs) {
    for (const bool causal : {false, true}) {
      const auto attention = in_float64(nn::Attention(8, 2, rng, config, {.qk_norm = true, .convolution = 3}));
      randomise(attention, rng);
      gradcheck_module(attention, x,
                       [&](const nn::Attention& a, const Tensor& input) { return a(input, sequences, causal); });
    }
  }
}

TEST_CASE("a normaliser divides what the heads found: by the weights' sum, by the root of their number, to norm 1") {
  Rng rng(1);
  const Tensor x = normal({6, 8}, 0, 1, rng);
  const Sequences sequences = sequences_of({0, 6});
  const auto found_by = [&](const char* normaliser) {
    Rng same(3);
    const nn::KernelAttention attention(8, 2, same, {.normaliser = normaliser});
    copy_into(attention.o.weight, nn::identity({8, 8}), "test");  // what the heads found is the result
    return attention(x, sequences);
  };
  const Tensor by_sum = found_by("sum"), by_root = found_by("sqrt_n"), normed = found_by("rmsnorm");
  for (std::int64_t row = 0; row < 12; ++row) {  // a head of a token
    double square = 0, root_square = 0;
    for (std::int64_t i = 0; i < 4; ++i) {
      square += std::pow(normed.data<float>()[row * 4 + i], 2);
      root_square += std::pow(by_root.data<float>()[row * 4 + i], 2);
    }
    CHECK(square / 4 == doctest::Approx(1).epsilon(1e-3));
    const float factor = by_root.data<float>()[row * 4] / by_sum.data<float>()[row * 4];
    for (std::int64_t i = 0; i < 4; ++i) {
      CHECK(by_root.data<float>()[row * 4 + i] == doctest::Approx(factor * by_sum.data<float>()[row * 4 + i]));
      CHECK(normed.data<float>()[row * 4 + i] ==
            doctest::Approx(by_root.data<float>()[row * 4 + i] / std::sqrt(root_square / 4)).epsilon(1e-3));
    }
  }
}

TEST_CASE("a convolution starts as the identity, and normed queries and keys do not depend on their size") {
  Rng rng(1);
  const Tensor x = normal({6, 8}, 0, 1, rng);
  const Sequences sequences = sequences_of({0, 2, 6});
  for (const nn::AttentionConfig& config : all_attentions) {
    Rng one(2), other(2), normed(2);
    const nn::Attention plain(8, 2, one, config), convolved(8, 2, other, config, {.convolution = 3}),
        same_size(8, 2, normed, config, {.qk_norm = true});
    CHECK(same_bits(plain(x, sequences), convolved(x, sequences)));
    const Tensor before = same_size(x, sequences);
    std::visit([](const auto& kind) { copy_into(kind.q.weight, kind.q.weight * 7.0, "test"); }, same_size.kind);
    CHECK(largest_difference(same_size(x, sequences), before) < 1e-4);
  }
}

TEST_CASE("an unknown normaliser, a negative convolution and a sum of weights of both signs are refused") {
  Rng rng(1);
  CHECK(contains(error_of([&] { nn::KernelAttention(8, 2, rng, {.normaliser = "max"}); }),
                 "attention: unknown normaliser \"max\", one of sum, sqrt_n, rmsnorm wanted"));
  CHECK(contains(error_of([&] { nn::KernelAttention(8, 2, rng, {.feature_map = "identity"}); }),
                 "the feature map identity gives weights of both signs"));
  CHECK(contains(error_of([&] { nn::KernelAttention(8, 2, rng, {}, {.convolution = -1}); }),
                 "attention: a convolution of width -1, at least 1 wanted"));
}

TEST_CASE("gradients of a block with rotary positions, shared heads of keys, rms norms and swiglu are right") {
  Rng rng(1);
  const Tensor x = normal({5, 8}, 0, 1, rng, DType::float64);
  const Sequences sequences = sequences_of({0, 2, 5});
  for (const nn::AttentionConfig& config : all_attentions) {
    const auto block = in_float64(nn::TransformerBlock({.hidden = 8,
                                                        .mlp = 6,
                                                        .heads = 2,
                                                        .attention = config,
                                                        .head = {.kv_heads = 1, .bias = false, .rotary_base = 100},
                                                        .norm = {.kind = "rms"},
                                                        .feed_forward = "swiglu",
                                                        .bias = false},
                                                       rng));
    randomise(block, rng);
    gradcheck_module(block, x,
                     [&](const nn::TransformerBlock& b, const Tensor& input) { return b(input, sequences, true); });
  }
}

TEST_CASE("with rotary positions, softmax attention knows distances and nothing else of places") {
  Rng rng(1);
  const nn::Attention attention(8, 2, rng, nn::SoftmaxAttentionConfig{}, {.rotary_base = 100});
  randomise(attention, rng);
  const Tensor x = normal({6, 8}, 0, 1, rng), one = normal({1, 8}, 0, 1, rng);
  // The same rows at other places: behind a row that they cannot see, since it is of another sequence.
  const Tensor moved = attention(concat({one, x}, 0), sequences_of({0, 1, 7}), true);
  CHECK(largest_difference(rows(moved, 1, 7), attention(x, sequences_of({0, 6}), true)) < 1e-6);
  // Two equal keys at different distances get different weights, without positions the same.
  const Tensor twice = concat({one, x, one}, 0), swapped = concat({x, one, one}, 0);
  auto last = [&](const nn::Attention& layer, const Tensor& input) {
    return rows(layer(input, sequences_of({0, 8}), true), 7, 8);
  };
  CHECK(largest_difference(last(attention, twice), last(attention, swapped)) > 1e-3);
  nn::Attention without = attention;
  std::get<nn::SoftmaxAttention>(without.kind).rotary_base = 0;
  CHECK(largest_difference(last(without, twice), last(without, swapped)) < 1e-6);
}

TEST_CASE("heads that share keys see what heads with copies of these keys see") {
  Rng rng(1);
  const Tensor x = normal({7, 8}, 0, 1, rng);
  const Sequences sequences = sequences_of({0, 3, 7});
  for (const bool kernel : {true, false}) {
    const nn::AttentionConfig config =
        kernel ? nn::AttentionConfig(nn::KernelAttentionConfig{}) : nn::AttentionConfig(nn::SoftmaxAttentionConfig{});
    const nn::Attention shared(8, 4, rng, config, {.kv_heads = 2}), copied(8, 4, rng, config);
    randomise(shared, rng);
    std::map<std::string, Tensor> given;
    for (const auto& [name, tensor] : nn::named_parameters(shared)) given.emplace(name, tensor);
    for (const auto& [name, tensor] : nn::named_parameters(copied)) {
      const Tensor& source = given.at(name);
      if (source.shape() == tensor.shape()) {
        copy_into(tensor, source, "test");
        continue;
      }
      // Heads 0 and 1 of queries share head 0 of keys, of two rows (head_dim) each.
      const std::int64_t head = source.size() / 2;
      for (std::int64_t h = 0; h < 4; ++h) {
        std::copy_n(source.data<float>() + h / 2 * head, head, write<float>(tensor, "test") + h * head);
      }
    }
    CHECK(largest_difference(shared(x, sequences, true), copied(x, sequences, true)) < 1e-6);
  }
}

TEST_CASE("queries and keys get dropout masks of their own") {
  Rng rng(1);
  for (const nn::KernelAttentionConfig& config :
       std::vector<nn::KernelAttentionConfig>{{.feature_map = "glu", .dropout = 0.5},
                                              {.feature_map = "lowrank_glu", .layers = 3, .dropout = 0.5},
                                              {.feature_map = "hedgehog", .dropout = 0.5}}) {
    const auto attention = in_float64(nn::KernelAttention(8, 2, rng, config));
    randomise(attention, rng);
    const Tensor x = normal({4, 8}, 0, 1, rng, DType::float64);
    const Sequences sequences = sequences_of({0, 4});
    const nn::Training training{1, 1};
    auto heads_of = [&](const nn::Linear& projection) { return reshape(projection(x), {4, 2, 4}); };
    const Tensor queries = attention.feature_map(heads_of(attention.q), training.child(0));
    const Tensor keys = attention.feature_map(heads_of(attention.k), training.child(1), nn::FeatureRole::key);
    const Tensor found = kernel_attention(queries, keys, heads_of(attention.v), sequences, sequences);
    const Tensor result = attention(x, sequences, false, training);
    CHECK(largest_difference(result, attention.o(reshape(found, {4, 8}))) < 1e-12);
    CHECK(largest_difference(result, attention(x, sequences)) > 1e-3);
  }
}

TEST_CASE("a block adds what attention and the feedforward network find, each with masks of its own") {
  Rng rng(1);
  const nn::KernelAttentionConfig attention{.dropout = 0.5};
  const nn::TransformerBlock block({.hidden = 8, .mlp = 16, .heads = 2, .attention = attention, .dropout = 0.5}, rng);
  const Tensor x = normal({6, 8}, 0, 1, rng);
  const Sequences sequences = sequences_of({0, 6});
  const nn::Training training{1, 1};
  const Tensor attended = x + block.attention(block.norm1(x), sequences, false, training.child(0));
  const Tensor wanted = attended + block.feed_forward(block.norm2(attended), training.child(1));
  CHECK(same_bits(block(x, sequences, false, training), wanted));
}

TEST_CASE("blocks are applied one after the other, each with masks of its own") {
  Rng rng(1);
  const auto blocks = nn::make_blocks(2, {.hidden = 8, .mlp = 16, .heads = 2, .dropout = 0.5}, rng);
  const Tensor x = normal({6, 8}, 0, 1, rng);
  const Sequences sequences = sequences_of({0, 6});
  const nn::Training training{1, 1};
  const Tensor first = blocks[0](x, sequences, true, training.child(0));
  CHECK(same_bits(nn::apply_blocks(blocks, x, sequences, true, training),
                  blocks[1](first, sequences, true, training.child(1))));
}

TEST_CASE("records name the layer they come from") {
  Rng rng(1);
  const auto blocks = nn::make_blocks(2, {.hidden = 8, .mlp = 16, .heads = 2}, rng);
  const Tensor x = normal({6, 8}, 0, 1, rng);
  Tape tape;
  tape.watch(x);
  nn::apply_blocks(blocks, x, sequences_of({0, 6}));
  std::vector<std::string> layers;
  for (const Record& record : tape.records()) layers.push_back(record.layer);
  for (const char* wanted : {"blocks.0", "blocks.0.attention", "blocks.1.feed_forward"}) {
    CHECK(std::count(layers.begin(), layers.end(), wanted) > 0);
  }
}

TEST_CASE("the penalty of a stack is the sum over its blocks, and zero for softmax") {
  Rng rng(1);
  const auto blocks = nn::make_blocks(2, {.hidden = 8, .mlp = 16, .heads = 2}, rng);
  for (const auto& block : blocks) randomise(block, rng);
  const double sum =
      blocks[0].attention.orthogonality_penalty().item() + blocks[1].attention.orthogonality_penalty().item();
  CHECK(nn::orthogonality_penalty(blocks).item() == doctest::Approx(sum));
  CHECK(nn::Attention(8, 2, rng, nn::SoftmaxAttentionConfig{}).orthogonality_penalty().item() == 0);
}

TEST_CASE("attention refuses heads that do not divide, other shapes and an unknown map") {
  Rng rng(1);
  CHECK(contains(error_of([&] { nn::Attention(130, 4, rng); }), "hidden size 130 does not divide into 4 heads"));
  CHECK(contains(error_of([&] { nn::Attention(8, 0, rng); }), "hidden size 8 does not divide into 0 heads"));
  CHECK(contains(error_of([&] { nn::Attention(10, 3, rng, nn::SoftmaxAttentionConfig{}); }), "does not divide into 3"));
  CHECK(contains(error_of([&] { nn::Attention(8, 2, rng, nn::KernelAttentionConfig{.feature_map = "rbf"}); }),
                 "unknown kind \"rbf\", one of linear, glu, lowrank_glu"));
  CHECK(contains(error_of([&] { nn::Attention(8, 4, rng, {}, {.kv_heads = 3}); }), "4 heads cannot share 3 heads"));
  CHECK(contains(error_of([&] { nn::Attention(8, 4, rng, {}, {.kv_heads = -1}); }), "4 heads cannot share -1 heads"));
  CHECK(
      contains(error_of([&] { nn::Attention(9, 3, rng, {}, {.rotary_base = 10}); }), "head_dim is 3, an even number"));
  CHECK(contains(error_of([&] { nn::Attention(8, 2, rng, {}, {.rotary_base = -1}); }), "rotary_base is -1"));
  const nn::Attention attention(8, 2, rng);
  CHECK(contains(error_of([&] {
                   attention(ones({8}), sequences_of({0, 1}));
                 }),
                 "attention: input has shape (8,), (T, 8)"));
  CHECK(contains(error_of([&] {
                   attention(ones({3, 4}), sequences_of({0, 3}));
                 }),
                 "attention: input has shape (3, 4)"));
  CHECK(contains(error_of([&] { attention(Tensor(), sequences_of({0, 3})); }), "attention: the input is undefined"));
  CHECK_FALSE(error_of([&] { attention(ones({3, 8}), sequences_of({0, 4})); }).empty());
  CHECK(contains(error_of([&] { nn::make_blocks(0, {}, rng); }), "blocks: 0 blocks, at least 1 wanted"));
}
