// The tensors of a module as a list, counted, or copied.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <lintel/core/visit.hpp>

namespace lintel {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// A copy of `module` with buffers of its own, where a plain copy shares them. Its tensors have new identities; two
/// members that are one tensor (tied weights) stay one.
template <Module M>
M clone(const M& module) {
  M copy = module;
  std::map<std::uint64_t, Tensor> cloned;
  for_each_tensor(copy, [&](const std::string&, Tensor& x) {
    const auto [place, is_new] = cloned.try_emplace(x.id());
    if (is_new) place->second = clone(x);
    x = place->second;
  });
  return copy;
}

namespace nn {

/// The tensors of `module` with their names (`blocks.0.attention.q.weight`), in the order of its `visit`. Handles: to
/// write into them writes into the module.
template <Module M>
std::vector<NamedTensor> named_parameters(const M& module) {
  std::vector<NamedTensor> parameters;
  for_each_tensor(module, [&](const std::string& name, const Tensor& x) { parameters.push_back({name, x}); });
  return parameters;
}

/// The number of elements of all tensors of `module`, each tensor counted once.
template <Module M>
std::int64_t parameter_count(const M& module) {
  std::int64_t count = 0;
  std::set<std::uint64_t> counted;
  for_each_tensor(module, [&](const std::string&, const Tensor& x) {
    if (counted.insert(x.id()).second) count += x.size();
  });
  return count;
}

}  // namespace nn
}  // namespace lintel
