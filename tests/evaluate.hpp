// An op's value and gradients at once, through its kernels or through its definition.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <lintel/autograd/gradcheck.hpp>
#include <lintel/autograd/tape.hpp>

namespace lintel {

/// A value, and the gradients of Σ u⊙value, u fixed and random, with respect to every floating input.
struct Evaluation {
  Tensor value;
  std::vector<Tensor> gradients;
};

inline Evaluation evaluate(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  Tape tape;
  std::vector<Tensor> wrt;
  for (const Tensor& x : inputs) {
    if (!x.defined() || !is_floating(x.dtype())) continue;
    tape.watch(x);
    wrt.push_back(x);
  }
  const Tensor value = f(inputs);
  Rng rng(3);
  const Gradients gradients =
      tape.gradients(value, wrt, {.seeds = {uniform(value.shape(), -1, 1, rng, value.dtype())}});
  Evaluation result{value, {}};
  for (const Tensor& x : wrt) result.gradients.push_back(gradients[x]);
  return result;
}

/// The same of the definition that the fused op `f` puts on the tape.
inline Evaluation evaluate_definition(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  Definition definition;
  {
    Tape tape;
    for (const Tensor& x : inputs) {
      if (x.defined() && is_floating(x.dtype())) tape.watch(x);
    }
    f(inputs);
    definition = tape.records().back().definition;
  }
  REQUIRE(definition);
  return evaluate([&](const std::vector<Tensor>& at) { return definition(at)[0]; }, inputs);
}

/// The largest |a − b| / (1 + |b|); infinite for a NaN or another number of elements.
inline double distance(const Tensor& a, const Tensor& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  const Tensor x = convert(a, DType::float64), y = convert(b, DType::float64);
  double largest = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double first = x.data<double>()[i], second = y.data<double>()[i];
    const double difference = std::abs(first - second) / (1 + std::abs(second));
    largest = std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(largest, difference);
  }
  return largest;
}

inline double distance(const Evaluation& a, const Evaluation& b) {
  double largest = distance(a.value, b.value);
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    largest = std::max(largest, distance(a.gradients[i], b.gradients.at(i)));
  }
  return largest;
}

inline bool is_finite(const Tensor& x) {
  const Tensor numbers = convert(x, DType::float64);
  for (const double number : numbers.values<double>()) {
    if (!std::isfinite(number)) return false;
  }
  return true;
}

inline bool is_finite(const Evaluation& evaluation) {
  for (const Tensor& gradient : evaluation.gradients) {
    if (!is_finite(gradient)) return false;
  }
  return is_finite(evaluation.value);
}

/// Whether every element of rows begin … end of x (rows, …) is 0.
inline bool is_zero(const Tensor& x, std::int64_t begin, std::int64_t end) {
  const Tensor numbers = convert(x, DType::float64);
  const std::int64_t row = x.size() / std::max<std::int64_t>(1, x.size(0));
  for (std::int64_t i = begin * row; i < end * row; ++i) {
    if (numbers.data<double>()[i] != 0) return false;
  }
  return true;
}

}  // namespace lintel
