// What tests of layers and models share.
#pragma once

#include <algorithm>
#include <cmath>
#include <lintel/autograd/gradcheck.hpp>
#include <lintel/autograd/tape.hpp>
#include <lintel/nn/parameters.hpp>
#include <string>
#include <unordered_set>
#include <vector>

namespace lintel_test {

/// max |a − b|; infinite for different shapes.
inline double largest_difference(const lintel::Tensor& a, const lintel::Tensor& b) {
  if (a.shape() != b.shape()) return HUGE_VAL;
  const lintel::Tensor left = convert(a, lintel::DType::float64), right = convert(b, lintel::DType::float64);
  double largest = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(left.data<double>()[i] - right.data<double>()[i]);
    if (!(difference <= largest)) largest = difference;  // keeps a NaN
  }
  return largest;
}

/// Whether two float32 tensors hold the same bits.
inline bool same_bits(const lintel::Tensor& a, const lintel::Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(a.values<float>().begin(), a.values<float>().end(), b.values<float>().begin());
}

/// A copy of `module` in float64.
template <class M>
M in_float64(const M& module) {
  M copy = module;
  lintel::for_each_tensor(copy, [](const std::string&, lintel::Tensor& x) { x = convert(x, lintel::DType::float64); });
  return copy;
}

/// Overwrites every tensor of `module` with random numbers, so that nothing is zero or one by its start.
template <class M>
void randomise(const M& module, lintel::Rng& rng) {
  lintel::for_each_tensor(module, [&](const std::string&, const lintel::Tensor& x) {
    copy_into(x, normal(x.shape(), 0.1, 0.3, rng, x.dtype()), "randomise");
  });
}

/// Checks the gradients of `f(module, x)` for all tensors of `module`, which is float64, and for x if it is defined.
template <class M, class Function>
void gradcheck_module(const M& module, const lintel::Tensor& x, const Function& f) {
  std::vector<lintel::Tensor> inputs;
  for (const auto& [name, parameter] : lintel::nn::named_parameters(module)) inputs.push_back(parameter);
  if (x.defined()) inputs.push_back(x);
  lintel::gradcheck(
      [&](const std::vector<lintel::Tensor>& values) {
        M with_values = module;
        std::size_t next = 0;
        lintel::for_each_tensor(with_values,
                                [&](const std::string&, lintel::Tensor& parameter) { parameter = values[next++]; });
        return f(with_values, x.defined() ? values.back() : x);
      },
      inputs);
}

/// The members that `visit` of a module forgets. `call()` must apply `module`, to `x` if that is defined. On a tape
/// that watches what `visit` names, and x, everything floating-point that an op reads must be watched or the result of
/// an earlier record; each op that reads something else is returned, as is a result that nothing watched leads to.
template <class M, class Call>
std::vector<std::string> ops_that_read_forgotten_members(const M& module, const lintel::Tensor& x, const Call& call) {
  lintel::Tape tape(module);
  if (x.defined()) tape.watch(x);
  std::unordered_set<std::uint64_t> known = {lintel::Tensor().id()};
  for (const lintel::Tensor& watched : tape.watched()) known.insert(watched.id());
  const lintel::Tensor result = call();
  std::vector<std::string> ops;
  for (const lintel::Record& record : tape.records()) {
    for (const lintel::TensorInfo& input : record.inputs) {
      if (is_floating(input.dtype) && !known.contains(input.id)) ops.push_back(record.op + " in " + record.layer);
    }
    for (const lintel::TensorInfo& output : record.outputs) known.insert(output.id);
  }
  if (!known.contains(result.id())) ops.push_back("the result");
  return ops;
}

}  // namespace lintel_test
