// Large and denormal inputs to the fused ops that have no test file of their own.
#include <doctest/doctest.h>

#include <string>

#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/layer_norm.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/mse.hpp>
#include <lintel/ops/rms_norm.hpp>
#include <lintel/ops/softmax.hpp>

#include "evaluate.hpp"

using namespace lintel;

namespace {

struct Case {
  std::string name;
  TensorFunction f;
  std::vector<Shape> shapes;  // of the inputs; the first one is extreme, parameters are of ordinary size
};

std::vector<Case> cases() {
  std::vector<Case> result = {
      {"layer_norm", [](const auto& x) { return layer_norm(x[0], x[1], x[2]); }, {{5, 33}, {33}, {33}}},
      {"rms_norm", [](const auto& x) { return rms_norm(x[0], x[1]); }, {{5, 33}, {33}}},
      {"softmax", [](const auto& x) { return softmax(x[0]); }, {{5, 33}}},
      {"log_softmax", [](const auto& x) { return log_softmax(x[0]); }, {{5, 33}}},
      {"mse", [](const auto& x) { return mse(x[0], x[1]); }, {{5, 33}, {5, 33}}}};
  for (const Activation activation : {Activation::none, Activation::relu, Activation::gelu, Activation::gelu_tanh,
                                      Activation::silu, Activation::tanh}) {
    result.push_back({"linear, activation " + std::to_string(static_cast<int>(activation)),
                      [=](const auto& x) { return linear(x[0], x[1], x[2], activation); },
                      {{5, 33}, {17, 33}, {17}}});
  }
  for (const FeatureActivation activation : {FeatureActivation::none, FeatureActivation::softplus}) {
    const std::string suffix = activation == FeatureActivation::none ? ", inner" : ", last";
    result.push_back({"feature_map_linear" + suffix,
                      [=](const auto& x) { return feature_map_linear(x[0], x[1], x[2], activation); },
                      {{5, 2, 8}, {2, 8, 8}, {2, 8}}});
    result.push_back({"feature_map_glu" + suffix,
                      [=](const auto& x) { return feature_map_glu(x[0], x[1], x[2], x[3], x[4], activation); },
                      {{5, 2, 8}, {2, 8, 8}, {2, 8}, {2, 8, 8}, {2, 8}}});
    result.push_back({"feature_map_lowrank_glu" + suffix,
                      [=](const auto& x) { return feature_map_lowrank_glu(x[0], x[1], x[2], x[3], x[4], activation); },
                      {{5, 2, 8}, {2, 8, 8}, {2, 8}, {2, 2, 8}, {2, 8, 2}}});
  }
  return result;
}

}  // namespace

TEST_CASE("fused ops stay finite, value and gradients, for inputs of 10,000 and denormal ones") {
  for (const Case& each : cases()) {
    for (const double size : {1e4, 1e-40}) {
      CAPTURE(each.name);
      CAPTURE(size);
      Rng rng(17);
      std::vector<Tensor> inputs;
      for (const Shape& shape : each.shapes) inputs.push_back(normal(shape, 0, inputs.empty() ? size : 1, rng));
      CHECK(is_finite(evaluate(each.f, inputs)));
    }
  }
}

TEST_CASE("normalising a constant row gives the bias, not a division by 0") {
  const Tensor x = full({2, 7}, 3), weight = ones({7}), bias = full({7}, 0.5);
  const Evaluation result = evaluate(
      [](const std::vector<Tensor>& inputs) { return layer_norm(inputs[0], inputs[1], inputs[2]); }, {x, weight, bias});
  CHECK(is_finite(result));
  CHECK(distance(result.value, full({2, 7}, 0.5)) < 1e-6);
}

TEST_CASE("a row of softmax adds up to 1, and takes minus infinity as no chance") {
  const float excluded = -std::numeric_limits<float>::infinity();
  const Tensor y = softmax(Tensor({1, 3}, {excluded, 1e4f, 1e4f}));
  CHECK(y.data<float>()[0] == 0);
  CHECK(y.data<float>()[1] == 0.5f);
  CHECK(y.data<float>()[2] == 0.5f);
}
