// Which elementwise kernels compute an `Activation`, for the ops that fuse one into a product.
#pragma once

#include <lintel/ops/activation.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {

/// Elementary operations of an element's activation, and of its slope, roughly.
inline constexpr double activation_cost = 10, slope_cost = 15;

/// The elementwise function of an activation that is not `none`.
inline Unary unary_of(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return Unary::relu;
    case Activation::gelu:
      return Unary::gelu;
    case Activation::gelu_tanh:
      return Unary::gelu_tanh;
    case Activation::silu:
      return Unary::silu;
    default:
      return Unary::tanh;
  }
}

/// Whether f' follows from f(u): 1 where nothing is applied, 1 or 0 where relu(u) is above 0 or not, 1 − tanh². Else it
/// takes u itself.
inline bool slope_follows_from_value(Activation activation) {
  return activation == Activation::none || activation == Activation::relu || activation == Activation::tanh;
}

/// y = f(u); y may be u.
template <class T>
void activate(Activation activation, const T* u, T* y, std::int64_t count) {
  if (activation != Activation::none) {
    active_kernels<T>()[unary_of(activation)].forward(u, y, count, T(0));
  } else if (y != u) {
    active_kernels<T>().scale(T(1), u, y, count);
  }
}

/// du = g·f'(u), from u, or from f(u) where the slope follows from that; du may be g.
template <class T>
void activate_backward(Activation activation, const T* g, const T* kept, T* du, std::int64_t count) {
  if (activation != Activation::none) {
    // The kernels read either the argument or the value of f, and `kept` is the one that they read.
    active_kernels<T>()[unary_of(activation)].vjp(g, kept, kept, du, count, T(0));
  } else if (du != g) {
    active_kernels<T>().scale(T(1), g, du, count);
  }
}

/// du = g·f'(u) and y = f(u) in one sweep, for an f whose slope takes u. du may be g, and y may be u.
template <class T>
void activate_both_ways(Activation activation, const T* g, const T* u, T* du, T* y, std::int64_t count) {
  active_kernels<T>().activation_and_slope(activation, g, u, du, y, count);
}

}  // namespace lintel
