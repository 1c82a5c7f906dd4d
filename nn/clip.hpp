// Bounding the norm of all gradients together.
#pragma once

#include <lintel/autograd/gradients.hpp>

namespace lintel::nn {

/// The Euclidean norm of all gradients taken as one vector, summed in double in an order that depends on shapes only.
double global_norm(const Gradients& gradients);

/// min(1, maximum / (norm + 1e-6)), the `gradient_scale` of an optimiser's step that bounds the norm of its gradients;
/// 1 for a norm that is infinite or NaN. Throws `Error` for a maximum that is not positive.
double clip_factor(double norm, double maximum);

/// Scales all gradients by min(1, maximum / (norm + 1e-6)) and returns the norm before. A norm that is infinite or NaN
/// leaves the gradients as they are, and tells the caller to skip the step.
/// Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", ICML 2013; the constant
/// is PyTorch's. Throws `Error` for a maximum that is not positive.
double clip_global_norm(Gradients& gradients, double maximum);

}  // namespace lintel::nn
