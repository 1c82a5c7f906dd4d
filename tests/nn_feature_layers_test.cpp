// Every feature map against its formula in plain loops, and attention with it in all of its forms.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <map>

#include <lintel/autograd/tape.hpp>
#include <lintel/nn/attention.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/shape_ops.hpp>

#include "attention_by_loops.hpp"
#include "evaluate.hpp"
#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

using Row = std::vector<double>;
using Parameters = std::map<std::string, Tensor>;  // in float64

double softplus_of(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double gelu_of(double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }

Row each(Row x, const std::function<double(double)>& f) {
  for (double& value : x) value = f(value);
  return x;
}

Row plus(Row a, const Row& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

Row times(Row a, const Row& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
  return a;
}

Row joined(Row a, const Row& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// W x + b, where W is (out, in) or (heads, out, in), and b may be missing.
Row affine(const Parameters& p, const std::string& weight, const std::string& bias, std::int64_t head, const Row& x) {
  const Tensor& w = p.at(weight);
  const std::int64_t out = w.size(-2), in = w.size(-1);
  if (w.rank() == 2) head = 0;
  Row y;
  for (std::int64_t i = 0; i < out; ++i) {
    y.push_back(p.contains(bias) ? p.at(bias).data<double>()[head * out + i] : 0);
    for (std::int64_t j = 0; j < in; ++j) {
      y.back() += w.data<double>()[(head * out + i) * in + j] * x[static_cast<std::size_t>(j)];
    }
  }
  return y;
}

Row softmax_of(const Row& x) {
  double sum = 0;
  for (const double value : x) sum += std::exp(value);
  return each(x, [sum](double value) { return std::exp(value) / sum; });
}

/// One layer of a map for one head, as its documentation states it.
Row layer_by_loops(const std::string& kind, const Parameters& p, const std::string& at, std::int64_t head, const Row& x,
                   bool last, nn::FeatureRole role) {
  auto linear = [&](const std::string& weight, const std::string& bias, const Row& y) {
    return affine(p, at + weight, at + bias, head, y);
  };
  auto f = [last](const Row& u) { return last ? each(u, softplus_of) : u; };
  if (kind == "linear") return f(linear("weight", "bias", x));
  if (kind == "glu") return times(f(linear("weight", "bias", x)), each(linear("gate", "gate_bias", x), sigmoid_of));
  if (kind == "lowrank_glu") {
    return times(f(linear("weight", "bias", x)), each(linear("up", "", linear("down", "", x)), sigmoid_of));
  }
  if (kind == "residual") return f(plus(x, linear("weight", "bias", x)));
  if (kind == "mlp") {
    const Row u = linear("down.weight", "down.bias", each(linear("up.weight", "up.bias", x), gelu_of));
    return last ? each(u, [](double value) { return softplus_of(2.5 * value) / 2.5; }) : u;
  }
  if (kind == "identity") return x;
  if (kind == "elu") return each(x, [](double value) { return value > 0 ? value + 1 : std::exp(value); });
  if (kind == "relu") return each(x, [](double value) { return std::max(value, 0.0); });
  if (kind == "hedgehog") {
    const Row u = linear(role == nn::FeatureRole::query ? "query_weight" : "key_weight", "", x);
    return joined(softmax_of(u), softmax_of(each(u, [](double value) { return -value; })));
  }
  REQUIRE(kind == "favor");
  const auto d = static_cast<double>(x.size());
  const Row y = each(x, [d](double value) { return value / std::pow(d, 0.25); });
  double square = 0;
  for (const double value : y) square += value * value;
  const Row u = affine(p, "projection", "", head, y);
  auto feature = [&](double exponent) { return std::exp(exponent - square / 2) / std::sqrt(2 * d); };
  return joined(each(u, feature), each(u, [&](double value) { return feature(-value); }));
}

Parameters parameters_of(const nn::FeatureMap& map) {
  Parameters parameters;
  for (const auto& [name, tensor] : nn::named_parameters(map)) {
    parameters.emplace(name, convert(tensor, DType::float64));
  }
  if (const auto* favor = std::get_if<nn::FavorFeatureLayer>(&map.layers[0])) {
    parameters.emplace("projection", favor->projection64);
  }
  return parameters;
}

/// x (rows, heads, head_dim) → features in float64.
Tensor map_by_loops(const std::string& kind, const nn::FeatureMap& map, const Tensor& x, nn::FeatureRole role) {
  const Parameters parameters = parameters_of(map);
  const Tensor input = convert(x, DType::float64);
  const std::int64_t heads = x.size(1), d = x.size(2);
  std::vector<double> result;
  for (std::int64_t row = 0; row < x.size(0) * heads; ++row) {
    Row features(input.data<double>() + row * d, input.data<double>() + (row + 1) * d);
    for (std::size_t i = 0; i < map.layers.size(); ++i) {
      const std::string at = "layers." + std::to_string(i) + ".";
      features = layer_by_loops(kind, parameters, at, row % heads, features, i + 1 == map.layers.size(), role);
    }
    result.insert(result.end(), features.begin(), features.end());
  }
  return Tensor({x.size(0), heads, map.features(d)}, result);
}

bool is_single(const std::string& kind) {
  return kind == "identity" || kind == "elu" || kind == "relu" || kind == "favor" || kind == "hedgehog";
}

nn::KernelAttentionConfig config_of(const std::string& kind) {
  return {.feature_map = kind,
          .layers = is_single(kind) ? 1 : 2,
          .bias = true,
          .normaliser = kind == "identity" ? "sqrt_n" : "sum"};
}

constexpr std::int64_t hidden = 12, heads = 2, chunk = kernel_attention_chunk;
const std::vector<std::int64_t> lengths_around_chunks = {0, 1, 2, chunk - 1, chunk, chunk + 1, 3 * chunk + 5};

nn::KernelAttention random_attention(const std::string& kind) {
  Rng rng(1);
  const nn::KernelAttention attention(hidden, heads, rng, config_of(kind));
  randomise(attention, rng);
  return attention;
}

double largest(const Tensor& x) { return largest_difference(x, zeros(x.shape(), x.dtype())); }

/// Causal attention with the whole matrix of weights, one after the other.
Tensor quadratic(const std::string& kind, const nn::KernelAttention& attention, const Tensor& x) {
  auto split = [&](const Tensor& y) { return reshape(y, {y.size(0), heads, hidden / heads}); };
  const Sequences sequences = sequences_of({x.size(0)});
  const Tensor phi_q = map_by_loops(kind, attention.feature_map, split(attention.q(x)), nn::FeatureRole::query);
  const Tensor phi_k = map_by_loops(kind, attention.feature_map, split(attention.k(x)), nn::FeatureRole::key);
  const Tensor found = attention_by_loops(
      phi_q, phi_k, split(attention.v(x)), sequences, sequences, true, attention.epsilon,
      [](double product) { return product; }, attention.normaliser == KernelNormaliser::sqrt_n);
  return attention.o(reshape(found, x.shape()));
}

Tensor token_by_token(const nn::KernelAttention& attention, const Tensor& x) {
  nn::AttentionState state = attention.empty_state(1);
  const Tensor result = empty(x.shape(), x.dtype());
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    auto row = [i](const Tensor& y) { return share_buffer(y, {1, hidden}, i * hidden); };
    copy_into(row(result), attention.read(row(x), sequences_of({1}), state), "test");
  }
  return result;
}

Tensor at_once(const nn::KernelAttention& attention, const Tensor& x) {
  nn::AttentionState state = attention.empty_state(1);
  return attention.read(x, sequences_of({x.size(0)}), state);
}

}  // namespace

TEST_CASE("every feature map is its formula") {
  Rng rng(1);
  for (const std::string& kind : nn::feature_map_kinds()) {
    CAPTURE(kind);
    const nn::FeatureMap map =
        in_float64(nn::FeatureMap(heads, 8, rng, {.kind = kind, .layers = is_single(kind) ? 1 : 3, .bias = true}));
    randomise(map, rng);
    const Tensor x = normal({5, heads, 8}, 0, 1, rng, DType::float64);
    for (const nn::FeatureRole role : {nn::FeatureRole::query, nn::FeatureRole::key}) {
      Tensor found = map(x, std::nullopt, role), wanted = map_by_loops(kind, map, x, role);
      if (kind == "favor" && role == nn::FeatureRole::query) {  // up to a factor for each query and head
        for (std::int64_t row = 0; row < 5 * heads; ++row) {
          double* const features = write<double>(wanted, "test") + row * 16;
          const double largest = *std::max_element(features, features + 16);
          for (int i = 0; i < 16; ++i) features[i] /= largest * 4;  // √m = 4
        }
      }
      CHECK(largest_difference(found, wanted) < 1e-12);
    }
  }
}

TEST_CASE("chunks, the recurrence and the quadratic form agree for every feature map, for lengths around the chunks") {
  for (const std::string& kind : nn::feature_map_kinds()) {
    CAPTURE(kind);
    const nn::KernelAttention attention = random_attention(kind), exact = in_float64(attention);
    for (const std::int64_t length : lengths_around_chunks) {
      CAPTURE(length);
      Rng rng(5);
      const Tensor x = normal({length, hidden}, 0, 1, rng), x64 = convert(x, DType::float64);
      const Tensor chunked = exact(x64, sequences_of({length}), true);
      // The factor that favor leaves out of a query changes what epsilon adds to.
      const double tolerance = kind == "favor" ? 1e-4 : 1e-12;
      CHECK(largest_difference(chunked, quadratic(kind, exact, x64)) < tolerance);
      CHECK(largest_difference(at_once(exact, x64), chunked) < 1e-12);
      CHECK(largest_difference(token_by_token(exact, x64), chunked) < 1e-12);
      // Without a denominator values are of the size of their sums.
      const double rounding = 1e-5 * (kind == "identity" ? std::max(1.0, largest(chunked)) : 1.0);
      CHECK(largest_difference(attention(x, sequences_of({length}), true), chunked) < rounding);
      CHECK(largest_difference(at_once(attention, x), chunked) < rounding);
      CHECK(largest_difference(token_by_token(attention, x), chunked) < rounding);
    }
  }
}

TEST_CASE("gradients of attention with every feature map are right") {
  const Sequences sequences = sequences_of({3, 2});
  for (const std::string& kind : nn::feature_map_kinds()) {
    CAPTURE(kind);
    Rng rng(2);
    const auto attention = in_float64(nn::KernelAttention(8, 2, rng, config_of(kind)));
    randomise(attention, rng);
    const Tensor x = normal({5, 8}, 0, 1, rng, DType::float64);
    for (const bool causal : {false, true}) {
      gradcheck_module(attention, x,
                       [&](const nn::KernelAttention& a, const Tensor& input) { return a(input, sequences, causal); });
    }
  }
}

TEST_CASE("second derivatives of every feature map are right") {
  for (const std::string& kind : nn::feature_map_kinds()) {
    if (kind == "relu") continue;
    CAPTURE(kind);
    Rng rng(2);
    const auto map = in_float64(nn::FeatureMap(1, 4, rng, {.kind = kind}));
    const Tensor x = normal({2, 1, 4}, 0, 1, rng, DType::float64);
    for (const nn::FeatureRole role : {nn::FeatureRole::query, nn::FeatureRole::key}) {
      gradcheck_second_order([&](const std::vector<Tensor>& inputs) { return map(inputs[0], std::nullopt, role); },
                             {x});
    }
  }
}

TEST_CASE("inputs of 10,000 and denormal ones leave every feature map finite, value and gradients") {
  for (const std::string& kind : nn::feature_map_kinds()) {
    const nn::KernelAttention attention = random_attention(kind);
    for (const double size : {1e4, 1e-40, 0.0}) {
      for (const bool causal : {false, true}) {
        CAPTURE(kind);
        CAPTURE(size);
        Rng rng(5);
        std::vector<Tensor> inputs = {normal({70, hidden}, 0, size, rng)};
        CHECK(is_finite(evaluate(
            [&](const std::vector<Tensor>& x) { return attention(x[0], sequences_of({70}), causal); }, inputs)));
        for (const nn::FeatureRole role : {nn::FeatureRole::query, nn::FeatureRole::key}) {
          const Tensor q = normal({9, heads, hidden / heads}, 0, size, rng);
          CHECK(is_finite(evaluate(
              [&](const std::vector<Tensor>& x) { return attention.feature_map(x[0], std::nullopt, role); }, {q})));
        }
      }
    }
  }
}

TEST_CASE("fully masked rows give the bias of the output and finite gradients, with every feature map") {
  for (const std::string& kind : nn::feature_map_kinds()) {
    CAPTURE(kind);
    const nn::KernelAttention attention = random_attention(kind);
    Rng rng(5);
    const Tensor x = normal({3, 4, hidden}, 0, 1, rng);
    const Sequences sequences = Sequences::padded(3, 4, {0, 4, 1});
    for (const bool causal : {false, true}) {
      const Evaluation result =
          evaluate([&](const std::vector<Tensor>& inputs) { return attention(inputs[0], sequences, causal); }, {x});
      CHECK(is_finite(result));
      for (std::int64_t row = 0; row < 4; ++row) {
        const Tensor masked = share_buffer(result.value, {hidden}, row * hidden);
        CHECK(largest_difference(masked, attention.o.bias) == 0);
        CHECK(is_zero(share_buffer(result.gradients[0], {4, hidden}), row, row + 1));
      }
    }
  }
}

TEST_CASE("random features have orthogonal directions of one length, the same in every model, and estimate softmax") {
  Rng one(1), other(2);
  const nn::FeatureMap map(2, 16, one, {.kind = "favor"}), same(2, 16, other, {.kind = "favor"});
  const Tensor projection = std::get<nn::FavorFeatureLayer>(map.layers[0]).projection64;
  CHECK(same_bits(std::get<nn::FavorFeatureLayer>(map.layers[0]).projection32,
                  std::get<nn::FavorFeatureLayer>(same.layers[0]).projection32));
  const double* const omega = projection.data<double>();
  for (int head = 0; head < 2; ++head) {
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 16; ++j) {
        double product = 0;
        for (int c = 0; c < 16; ++c) product += omega[(head * 16 + i) * 16 + c] * omega[(head * 16 + j) * 16 + c];
        CHECK(product == doctest::Approx(i == j ? 16 : 0).epsilon(1e-9));
      }
    }
  }
  // Σ over keys of φ(q)·φ(k) and of e^(q·k/√d), relative to those of the first key: the query's factor cancels.
  Rng rng(4);
  const Tensor q = normal({1, 2, 16}, 0, 0.5, rng, DType::float64);
  const Tensor k = normal({200, 2, 16}, 0, 0.5, rng, DType::float64);
  const Tensor phi_q = map(q), phi_k = map(k, std::nullopt, nn::FeatureRole::key);
  double estimated = 0, exact = 0, error = 0;
  std::vector<double> estimates, weights;
  for (int key = 0; key < 200; ++key) {
    double product = 0, score = 0;
    for (int i = 0; i < 32; ++i) product += phi_q.data<double>()[i] * phi_k.data<double>()[key * 64 + i];
    for (int i = 0; i < 16; ++i) score += q.data<double>()[i] * k.data<double>()[key * 32 + i];
    estimates.push_back(product), weights.push_back(std::exp(score / 4));
    estimated += estimates.back(), exact += weights.back();
  }
  for (std::size_t i = 0; i < 200; ++i) error += std::abs(estimates[i] / estimated - weights[i] / exact);
  CHECK(error < 0.2);
}

TEST_CASE("hedgehog has matrices of its own for queries and keys, and starts with the identity") {
  Rng rng(1);
  const nn::FeatureMap map(2, 4, rng, {.kind = "hedgehog"});
  const Tensor x = normal({3, 2, 4}, 0, 1, rng);
  CHECK(same_bits(map(x), map(x, std::nullopt, nn::FeatureRole::key)));
  CHECK(map(x).shape() == Shape{3, 2, 8});
  const auto& layer = std::get<nn::HedgehogFeatureLayer>(map.layers[0]);
  for (int i = 0; i < 32; ++i) CHECK(layer.key_weight.data<float>()[i] == (i % 16 % 5 == 0 ? 1.0f : 0.0f));
  write<float>(layer.key_weight, "test")[1] = 2;
  CHECK_FALSE(same_bits(map(x), map(x, std::nullopt, nn::FeatureRole::key)));
}

TEST_CASE("attention applies every map itself: to queries and keys as the map does, and keeps none of its features") {
  const Sequences sequences = sequences_of({70, 0, 3});
  for (const std::string& kind : nn::feature_map_kinds()) {
    CAPTURE(kind);
    Rng rng(1);
    const nn::FeatureMap map = in_float64(nn::FeatureMap(heads, 8, rng, {.kind = kind, .bias = true}));
    randomise(map, rng);
    const auto input = [&] { return normal({73, heads, 8}, 0, 1, rng, DType::float64); };
    const Tensor q = input(), k = input(), v = input();
    const KernelAttentionOptions options{.normaliser =
                                             kind == "identity" ? KernelNormaliser::sqrt_n : KernelNormaliser::sum};
    Tape tape;
    for (const Tensor& x : {q, k, v}) tape.watch(x);
    const Tensor found =
        kernel_attention(q, k, v, sequences, sequences, options, map.stack(nn::FeatureRole::query, DType::float64),
                         map.key_stack(DType::float64));
    REQUIRE(tape.records().back().op == "kernel_attention");
    // Of favor and hedgehog there are twice as many features as numbers in q.
    for (const SavedTensor& saved : tape.records().back().saved) CHECK(saved.tensor.size() <= q.size());
    const Tensor of_features =
        kernel_attention(map(q), map(k, std::nullopt, nn::FeatureRole::key), v, sequences, sequences, options);
    CHECK(largest_difference(found, of_features) < 1e-12 * std::max(1.0, largest(of_features)));
  }
}

TEST_CASE("a map that is one layer refuses several, and a map without orthogonal matrices has no penalty") {
  Rng rng(1);
  for (const char* kind : {"identity", "elu", "relu", "favor", "hedgehog"}) {
    CHECK(contains(error_of([&] { nn::FeatureMap(2, 4, rng, {.kind = kind, .layers = 2}); }),
                   std::string("feature_map: ") + kind + " is one layer, 2 were asked for"));
    const nn::KernelAttention attention(8, 2, rng, {.feature_map = kind, .normaliser = "rmsnorm"});
    CHECK(attention.orthogonality_penalty().item() == 0);
  }
  CHECK(nn::FeatureMap(2, 4, rng, {.kind = "residual"}).orthogonality_penalty().item() < 1e-12);
  CHECK(!nn::FeatureMap(2, 4, rng, {.kind = "mlp"}).orthogonality_penalty().defined());
}
