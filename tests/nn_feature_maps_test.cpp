// The trained feature maps.
#include <doctest/doctest.h>

#include <lintel/core/parallel.hpp>
#include <lintel/nn/feature_maps.hpp>
#include <lintel/nn/safetensors.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

const std::vector<std::string> all_kinds = {"linear", "glu", "lowrank_glu"};

std::vector<std::string> names_of(const nn::FeatureMap& map) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::named_parameters(map)) names.push_back(name);
  return names;
}

double element(const Tensor& x, std::int64_t i) { return convert(x, DType::float64).data<double>()[i]; }

double softplus_of(double x) { return std::log1p(std::exp(x)); }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE("a feature map has the parameters of its formula") {
  Rng rng(1);
  CHECK(nn::parameter_count(nn::FeatureMap(8, 64, rng, {.kind = "linear"})) == 8 * 64 * 64);
  CHECK(nn::parameter_count(nn::FeatureMap(8, 64, rng, {.kind = "glu", .layers = 2})) == 2 * 8 * 2 * 64 * 64);
  CHECK(nn::parameter_count(nn::FeatureMap(8, 64, rng, {.kind = "lowrank_glu", .layers = 3})) ==
        3 * 8 * (64 * 64 + 2 * 64 * 16));
  CHECK(names_of(nn::FeatureMap(2, 4, rng, {.kind = "glu", .layers = 2})) ==
        std::vector<std::string>{"layers.0.weight", "layers.0.gate", "layers.1.weight", "layers.1.gate"});
  CHECK(names_of(nn::FeatureMap(2, 4, rng, {.kind = "glu", .bias = true})) ==
        std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.0.gate", "layers.0.gate_bias"});
  CHECK(names_of(nn::FeatureMap(2, 4, rng, {.kind = "lowrank_glu", .bias = true})) ==
        std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.0.down", "layers.0.up"});
}

TEST_CASE("glu is softplus(Wx + b) ⊙ σ(Gx + c), with matrices of its own for each head") {
  Rng rng(1);
  const nn::FeatureMap map = in_float64(nn::FeatureMap(2, 3, rng, {.kind = "glu", .bias = true}));
  randomise(map, rng);
  const auto& layer = std::get<nn::GluFeatureLayer>(map.layers[0]);
  const Tensor x = normal({4, 2, 3}, 0, 1, rng, DType::float64);
  const Tensor features = map(x);
  for (std::int64_t token = 0; token < 4; ++token) {
    for (std::int64_t head = 0; head < 2; ++head) {
      for (std::int64_t out = 0; out < 3; ++out) {
        double value = element(layer.bias, head * 3 + out), gate = element(layer.gate_bias, head * 3 + out);
        for (std::int64_t in = 0; in < 3; ++in) {
          const double input = element(x, (token * 2 + head) * 3 + in);
          value += element(layer.weight, (head * 3 + out) * 3 + in) * input;
          gate += element(layer.gate, (head * 3 + out) * 3 + in) * input;
        }
        CHECK(element(features, (token * 2 + head) * 3 + out) ==
              doctest::Approx(softplus_of(value) * sigmoid_of(gate)));
      }
    }
  }
}

TEST_CASE("inner layers keep signs, the last makes every feature positive") {
  Rng rng(1);
  const Tensor x = normal({50, 2, 8}, 0, 3, rng);
  for (const std::string& kind : all_kinds) {
    const nn::FeatureMap map(2, 8, rng, {.kind = kind, .layers = 2});
    auto smallest = [](const Tensor& y) {
      return *std::min_element(y.values<float>().begin(), y.values<float>().end());
    };
    FeatureMapLayer first = map.stack()[0];
    first.activation = FeatureActivation::none;
    const Tensor inner = first(x);
    CHECK(smallest(inner) < 0);
    CHECK(smallest(map(x)) > 0);
  }
}

TEST_CASE("gradients of every feature map are right, for packed and padded input") {
  Rng rng(1);
  for (const std::string kind : {"linear", "glu", "lowrank_glu", "residual", "mlp"}) {
    const auto map = in_float64(nn::FeatureMap(2, 4, rng, {.kind = kind, .layers = 2, .bias = true}));
    randomise(map, rng);
    for (const Shape& shape : {Shape{3, 2, 4}, Shape{2, 2, 2, 4}}) {
      const Tensor x = normal(shape, 0, 1, rng, DType::float64);
      gradcheck_module(map, x, [](const nn::FeatureMap& m, const Tensor& input) { return m(input); });
    }
  }
}

TEST_CASE("the features of one token wake no thread, those of a text do") {
  const WithThreads two(2);
  Rng rng(1);
  const nn::FeatureMap map(4, 64, rng, {.kind = "glu"});
  map(normal({1, 4, 64}, 0, 1, rng));
  CHECK(threads_used_last() == 1);
  map(normal({4000, 4, 64}, 0, 1, rng));
  CHECK(threads_used_last() == 2);
}

TEST_CASE("dropout falls on the input of every layer, with masks of their own") {
  Rng rng(1);
  const nn::FeatureMap map(2, 8, rng, {.kind = "linear", .layers = 2, .dropout = 0.5});
  const Tensor x = normal({5, 2, 8}, 0, 1, rng);
  const nn::Training training{3, 4};
  auto apply = [&](std::size_t layer, const Tensor& input, FeatureActivation activation) {
    return std::get<nn::LinearFeatureLayer>(map.layers[layer])
        .stack({activation})[0](map.dropout(input, training.child(layer)));
  };
  const Tensor wanted = apply(1, apply(0, x, FeatureActivation::none), FeatureActivation::softplus);
  CHECK(same_bits(map(x, training), wanted));
  CHECK_FALSE(same_bits(map(x), wanted));
}

TEST_CASE("the orthogonality penalty is zero at the start, and mean((W Wᵀ − I)²) summed over layers later") {
  Rng rng(1);
  for (const std::string& kind : all_kinds) {
    const nn::FeatureMap map(2, 4, rng, {.kind = kind, .layers = 3});
    CHECK(map.orthogonality_penalty().item() < 1e-12);
    for (const auto& [name, tensor] : nn::named_parameters(map)) {
      if (name == "layers.1.weight") copy_into(tensor, full({2, 4, 4}, 2), "test");
    }
    // Every element of W Wᵀ is then 4 · 2 · 2.
    CHECK(map.orthogonality_penalty().item() == doctest::Approx((4 * 15.0 * 15.0 + 12 * 16.0 * 16.0) / 16));
  }
  const auto map = in_float64(nn::FeatureMap(2, 3, rng, {.kind = "glu", .layers = 2}));
  randomise(map, rng);
  gradcheck_module(map, Tensor(), [](const nn::FeatureMap& m, const Tensor&) { return m.orthogonality_penalty(); });
}

TEST_CASE("a feature map refuses an unknown kind and sizes that make no sense") {
  Rng rng(1);
  CHECK(contains(error_of([&] { nn::FeatureMap(2, 4, rng, {.kind = "gelu"}); }),
                 "feature_map: unknown kind \"gelu\", one of linear, glu, lowrank_glu, residual, mlp, identity, elu, "
                 "relu, favor, hedgehog wanted"));
  CHECK(contains(error_of([&] { nn::FeatureMap(2, 4, rng, {.layers = 0}); }), "feature_map: 0 layers, at least 1"));
  CHECK(contains(error_of([&] { nn::FeatureMap(0, 4, rng); }), "feature_map: 0 heads of size 4"));
  CHECK(contains(error_of([&] { nn::FeatureMap(2, 3, rng, {.kind = "lowrank_glu"}); }), "head_dim is 3, at least 4"));
  CHECK(contains(error_of([&] { nn::FeatureMap(2, 4, rng, {.dropout = 1.5}); }), "dropout: rate is 1.5"));
}
