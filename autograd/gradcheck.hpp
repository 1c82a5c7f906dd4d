// The check of a derivative against finite differences.
#pragma once

#include <functional>
#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel {

/// A function from several tensors to one.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

struct GradcheckOptions {
  double step = 1e-6;
  double absolute_tolerance = 1e-5;
  double relative_tolerance = 1e-3;
};

/// Compares the tape's gradients of Σ u⊙f(x), u fixed and random, with central differences
/// (s(x + step) − s(x − step)) / (2·step) for every element of every float64 input (others are held constant).
/// Throws an `Error` that names the worst element when |tape − difference| > absolute + relative·|difference|.
void gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// The same for the gradient itself: checks the function x ↦ uᵀ·J(x), so that second derivatives are covered.
void gradcheck_second_order(const TensorFunction& f, const std::vector<Tensor>& inputs,
                            const GradcheckOptions& options = {});

}  // namespace lintel
