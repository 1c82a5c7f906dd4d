// Optimisers against their published formulas, in float64.
#include <doctest/doctest.h>

#include <cmath>
#include <lintel/core/parallel.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/nn/safetensors.hpp>
#include <lintel/ops/elementwise.hpp>

#include "file_helpers.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

struct Model {
  Tensor weight, bias;
  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

Model model_of(Rng& rng, DType dtype = DType::float64) {
  return {normal({5}, 0, 1, rng, dtype), normal({2}, 0, 1, rng, dtype)};
}

Gradients random_gradients(const Model& model, Rng& rng) {
  Gradients gradients;
  gradients.set(model.weight, normal(model.weight.shape(), 0, 1, rng, model.weight.dtype()));
  gradients.set(model.bias, normal(model.bias.shape(), 0, 1, rng, model.bias.dtype()));
  return gradients;
}

std::vector<double> all_values(const Model& model) {
  std::vector<double> values;
  for_each_tensor(model, [&](const std::string&, const Tensor& x) {
    const Tensor wide = convert(x, DType::float64);
    values.insert(values.end(), wide.values<double>().begin(), wide.values<double>().end());
  });
  return values;
}

std::vector<double> all_values(const Model& model, const Gradients& gradients) {
  return all_values(Model{gradients[model.weight], gradients[model.bias]});
}

}  // namespace

TEST_CASE("AdamW follows its published formula") {
  Rng rng(1);
  const Model model = model_of(rng);
  const nn::AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.3};
  nn::AdamW optimiser(model, options);
  std::vector<double> w = all_values(model), m(w.size()), v(w.size());
  for (int t = 1; t <= 7; ++t) {
    const Gradients gradients = random_gradients(model, rng);
    const std::vector<double> g = all_values(model, gradients);
    const double rate = 0.1 / t;
    optimiser.step(gradients, rate);
    for (std::size_t i = 0; i < w.size(); ++i) {  // Loshchilov & Hutter, algorithm 2, lines 6 to 12
      m[i] = options.beta1 * m[i] + (1 - options.beta1) * g[i];
      v[i] = options.beta2 * v[i] + (1 - options.beta2) * g[i] * g[i];
      const double m_hat = m[i] / (1 - std::pow(options.beta1, t)), v_hat = v[i] / (1 - std::pow(options.beta2, t));
      w[i] = w[i] - rate * (m_hat / (std::sqrt(v_hat) + options.epsilon) + options.weight_decay * w[i]);
      CHECK(all_values(model)[i] == doctest::Approx(w[i]).epsilon(1e-13));
    }
  }
}

TEST_CASE("the first step of AdamW moves every parameter by the learning rate against its gradient") {
  const Model model{Tensor({5}, {1.0, 1.0, 1.0, 1.0, 1.0}), Tensor({2}, {1.0, 1.0})};
  nn::AdamW optimiser(model);
  Gradients gradients;
  gradients.set(model.weight, Tensor({5}, {1e-3, 10.0, -1e-3, -10.0, 1.0}));
  gradients.set(model.bias, Tensor({2}, {0.0, 0.0}));
  optimiser.step(gradients, 0.1);
  const std::vector<double> moved = {0.9, 0.9, 1.1, 1.1, 0.9, 1, 1};
  for (std::size_t i = 0; i < moved.size(); ++i) CHECK(all_values(model)[i] == doctest::Approx(moved[i]).epsilon(1e-5));
}

TEST_CASE("SGD follows its formula, with and without momentum") {
  for (const double momentum : {0.0, 0.9}) {
    Rng rng(1);
    const Model model = model_of(rng);
    nn::SGD optimiser(model, {.momentum = momentum, .weight_decay = 0.1});
    std::vector<double> w = all_values(model), b(w.size());
    for (int t = 1; t <= 4; ++t) {
      const Gradients gradients = random_gradients(model, rng);
      const std::vector<double> g = all_values(model, gradients);
      optimiser.step(gradients, 0.05);
      for (std::size_t i = 0; i < w.size(); ++i) {
        b[i] = momentum * b[i] + g[i] + 0.1 * w[i];
        w[i] -= 0.05 * b[i];
        CHECK(all_values(model)[i] == doctest::Approx(w[i]).epsilon(1e-13));
      }
    }
  }
}

TEST_CASE("a step keeps identities and is noticed by what saved the parameter") {
  Rng rng(1);
  const Model model = model_of(rng);
  const std::uint64_t id = model.weight.id(), version = model.weight.version();
  nn::AdamW optimiser(model);
  optimiser.step(random_gradients(model, rng), 0.1);
  CHECK(model.weight.id() == id);
  CHECK(model.weight.version() > version);
  CHECK(std::string(model.weight.last_writer()) == "AdamW");
}

TEST_CASE("the state of AdamW can be saved, and goes on to the same bits") {
  const TemporaryFolder folder;
  Rng rng(1);
  const Model model = model_of(rng, DType::float32);
  nn::AdamW optimiser(model, {.weight_decay = 0.1});
  for (int i = 0; i < 3; ++i) optimiser.step(random_gradients(model, rng), 0.1);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::named_parameters(optimiser)) names.push_back(name);
  CHECK(names == std::vector<std::string>{"step", "first_moment.weight", "second_moment.weight", "first_moment.bias",
                                          "second_moment.bias"});
  save(optimiser, folder.path() / "optimiser");
  save(model, folder.path() / "model");

  Rng other(2);
  Model resumed = model_of(other, DType::float32);
  nn::AdamW resumed_optimiser(resumed, {.weight_decay = 0.1});
  load(resumed, folder.path() / "model");
  load(resumed_optimiser, folder.path() / "optimiser");
  Rng same_gradients = rng;
  optimiser.step(random_gradients(model, rng), 0.1);
  resumed_optimiser.step(random_gradients(resumed, same_gradients), 0.1);
  CHECK(all_values(model) == all_values(resumed));
}

TEST_CASE("the state of SGD is its momentum, and none without") {
  Rng rng(1);
  const Model model = model_of(rng);
  CHECK(nn::named_parameters(nn::SGD(model)).empty());
  const auto state = nn::named_parameters(nn::SGD(model, {.momentum = 0.5}));
  REQUIRE(state.size() == 2);
  CHECK(state[1].name == "momentum.bias");
}

TEST_CASE("some tensors of a model can be optimised alone") {
  Rng rng(1);
  const Model model = model_of(rng);
  const std::vector<double> before = all_values(model);
  nn::SGD optimiser(std::vector<NamedTensor>{{"bias", model.bias}});
  optimiser.step(random_gradients(model, rng), 1);
  CHECK(all_values(model)[0] == before[0]);
  CHECK(all_values(model)[5] != before[5]);
}

TEST_CASE("a tensor that two members share is stepped once") {
  const Tensor shared = zeros({2}, DType::float64);
  nn::SGD optimiser(Model{shared, shared});
  Gradients gradients;
  gradients.set(shared, ones({2}, DType::float64));
  optimiser.step(gradients, 0.5);
  CHECK(shared.data<double>()[0] == -0.5);
}

TEST_CASE("a parameter without a gradient is named, and nothing has changed") {
  Rng rng(1);
  const Model model = model_of(rng);
  const std::vector<double> before = all_values(model);
  Gradients gradients;
  gradients.set(model.weight, zeros({5}, DType::float64));
  nn::AdamW adamw(model, {.weight_decay = 1});
  nn::SGD sgd(model, {.weight_decay = 1});
  CHECK(contains(error_of([&] { adamw.step(gradients, 0.1); }), "AdamW: no gradient for parameter bias of shape (2,)"));
  CHECK(contains(error_of([&] { sgd.step(gradients, 0.1); }), "SGD: no gradient for parameter bias of shape (2,)"));
  CHECK(all_values(model) == before);
  CHECK(nn::named_parameters(adamw)[0].tensor.item() == 0);
}

TEST_CASE("options and learning rates out of range are refused") {
  Rng rng(1);
  const Model model = model_of(rng);
  CHECK(
      contains(error_of([&] { nn::AdamW(model, {.beta1 = 1}); }), "AdamW: beta1 is 1, at least 0 and below 1 wanted"));
  CHECK(contains(error_of([&] { nn::AdamW(model, {.beta2 = -0.1}); }), "AdamW: beta2 is -0.1"));
  CHECK(contains(error_of([&] { nn::AdamW(model, {.epsilon = 0}); }), "AdamW: epsilon is 0, above 0"));
  CHECK(contains(error_of([&] { nn::AdamW(model, {.weight_decay = -1}); }), "AdamW: weight decay is -1"));
  CHECK(contains(error_of([&] { nn::SGD(model, {.momentum = 1}); }), "SGD: momentum is 1"));
  nn::SGD sgd(model);
  CHECK(contains(error_of([&] { sgd.step(random_gradients(model, rng), NAN); }), "SGD: learning rate is nan"));
  CHECK(contains(error_of([&] {
                   nn::SGD(std::vector<NamedTensor>{{"ids", zeros({2}, DType::int64)}});
                 }),
                 "SGD: parameter ids is int64, float32 or float64 wanted"));
}

TEST_CASE("a step of AdamW has the same bits with any number of threads") {
  std::vector<Tensor> results;
  for (const int count : {1, 2, 7}) {
    const WithThreads with(count);
    Rng rng(1);
    const Model model{normal({300'000}, 0, 1, rng), normal({7}, 0, 1, rng)};
    nn::AdamW optimiser(model, {.weight_decay = 0.1});
    for (int i = 0; i < 3; ++i) optimiser.step(random_gradients(model, rng), 0.01);
    results.push_back(model.weight);
  }
  for (const Tensor& result : results) {
    CHECK(std::equal(result.values<float>().begin(), result.values<float>().end(), results[0].values<float>().begin()));
  }
}

TEST_CASE("parameters of any size and either type, stepped together, get what each gets alone") {
  std::vector<NamedTensor> together, apart;
  Gradients gradients;
  Rng rng(1);
  for (const std::int64_t size : {3, 0, 20'000, 1, 16'384, 40'000, 5}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor parameter = normal({size}, 0, 1, rng, dtype);
      together.push_back({"p" + std::to_string(together.size()), parameter});
      apart.push_back({"q" + std::to_string(apart.size()), clone(parameter)});
      const Tensor gradient = normal({size}, 0, 1, rng, dtype);
      gradients.set(parameter, gradient);
      gradients.set(apart.back().tensor, gradient);
    }
  }
  nn::AdamW adamw(together, {.weight_decay = 0.1});
  nn::SGD sgd(together, {.momentum = 0.9, .weight_decay = 0.1});
  for (int i = 0; i < 2; ++i) adamw.step(gradients, 0.01, 0.5);
  for (int i = 0; i < 2; ++i) sgd.step(gradients, 0.01, 0.5);
  for (std::size_t i = 0; i < apart.size(); ++i) {
    nn::AdamW adamw_alone({apart[i]}, {.weight_decay = 0.1});
    nn::SGD sgd_alone({apart[i]}, {.momentum = 0.9, .weight_decay = 0.1});
    for (int step = 0; step < 2; ++step) adamw_alone.step(gradients, 0.01, 0.5);
    for (int step = 0; step < 2; ++step) sgd_alone.step(gradients, 0.01, 0.5);
    const Tensor a = convert(together[i].tensor, DType::float64), b = convert(apart[i].tensor, DType::float64);
    CHECK(std::equal(a.values<double>().begin(), a.values<double>().end(), b.values<double>().begin()));
  }
}

TEST_CASE("a step with scaled gradients is a step with gradients that were scaled before") {
  Rng rng(1);
  const Model model = model_of(rng), other{clone(model.weight), clone(model.bias)};
  nn::AdamW optimiser(model), other_optimiser(other);
  const Gradients gradients = random_gradients(model, rng);
  Gradients halved;
  halved.set(other.weight, gradients[model.weight] * 0.5);
  halved.set(other.bias, gradients[model.bias] * 0.5);
  optimiser.step(gradients, 0.1, 0.5);
  other_optimiser.step(halved, 0.1);
  CHECK(all_values(model) == all_values(other));
  CHECK(contains(error_of([&] { optimiser.step(gradients, 0.1, NAN); }), "AdamW: gradient scale is nan"));
}
