// Derivatives of functions: thin wrappers that make a tape, call the function and walk back.
#pragma once

#include <utility>

#include <lintel/autograd/tape.hpp>

namespace lintel {

/// The function x ↦ (f(x), df/dx) for an f from one tensor to a scalar tensor.
template <class Function>
auto value_and_grad(Function f) {
  return [f](const Tensor& x) {
    const Tensor input = fresh_identity(x);
    Tape tape;
    tape.watch(input);
    const Tensor value = f(input);
    const Tensor gradient = tape.gradients(value, {input})[input];
    return std::pair{value, gradient};
  };
}

/// The function x ↦ df/dx for an f from one tensor to a scalar tensor. Nests: grad(grad(f)) is the second derivative.
template <class Function>
auto grad(Function f) {
  return [f](const Tensor& x) { return value_and_grad(f)(x).second; };
}

/// The function (x, u) ↦ uᵀ·J(x), the vector–Jacobian product, with u of the shape of f(x).
template <class Function>
auto vjp(Function f) {
  return [f](const Tensor& x, const Tensor& cotangent) {
    const Tensor input = fresh_identity(x);
    Tape tape;
    tape.watch(input);
    const Tensor value = f(input);
    return tape.gradients(value, {input}, {.seeds = {cotangent}})[input];
  };
}

/// The function (x, t) ↦ J(x)·t, the Jacobian–vector product, with t of the shape of x. Reverse over reverse: the vjp
/// is linear in its cotangent u, so its own vjp with respect to u, at any u, is J·t.
template <class Function>
auto jvp(Function f) {
  return [f](const Tensor& x, const Tensor& tangent) {
    const Tensor value = f(stop_gradient(x));
    auto of_cotangent = [&](const Tensor& cotangent) { return vjp(f)(x, cotangent); };
    return vjp(of_cotangent)(zeros(value.shape(), value.dtype()), tangent);
  };
}

/// The function (x, v) ↦ H(x)·v with H the Hessian of a scalar f: the gradient of (df/dx)ᵀv.
template <class Function>
auto hessian_vector(Function f) {
  return [f](const Tensor& x, const Tensor& vector) { return vjp(grad(f))(x, vector); };
}

}  // namespace lintel
