// What a backward pass returns: one gradient per tensor that was asked for.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Gradients keyed by the identity of the tensor they belong to. A tensor the outputs do not depend on has zeros, not
/// nothing. Adding two (`+=`) accumulates over micro-batches.
class Gradients {
 public:
  /// The gradient with respect to `x`, of its shape and type. Throws `Error` when `x` was not asked for.
  const Tensor& operator[](const Tensor& x) const;
  bool contains(const Tensor& x) const;
  std::size_t size() const { return order_.size(); }

  /// Sets the gradient of `x`; shape and type must be those of `x`.
  void set(const Tensor& x, Tensor gradient);
  /// Replaces every gradient g by `f(g)`, in the order of the request (to clip, scale or average).
  template <class Function>
  void transform(Function&& f) {
    for (const std::uint64_t id : order_) by_id_[id] = f(by_id_[id]);
  }
  /// Calls `f(g)` for every gradient, in the order of the request.
  template <class Function>
  void for_each(Function&& f) const {
    for (const std::uint64_t id : order_) f(by_id_.at(id));
  }
  /// Adds gradient by gradient; both must hold the same tensors.
  Gradients& operator+=(const Gradients& other);

 private:
  std::vector<std::uint64_t> order_;
  std::unordered_map<std::uint64_t, Tensor> by_id_;
};

}  // namespace lintel
