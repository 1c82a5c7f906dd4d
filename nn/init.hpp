// First values of weights. A weight is stored (..., out, in); leading axes number independent matrices, such as heads.
#pragma once

#include <lintel/core/random.hpp>
#include <lintel/core/tensor.hpp>

namespace lintel::nn {

/// Normal with mean 0 and standard deviation √(2 / in).
/// Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015. Throws `Error` below rank 2.
Tensor kaiming_normal(const Shape& shape, Rng& rng, DType dtype = DType::float32);

/// Uniform in [−a, a), a = √(6 / (in + out)).
/// Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
/// Throws `Error` below rank 2.
Tensor xavier_uniform(const Shape& shape, Rng& rng, DType dtype = DType::float32);

/// Each matrix drawn uniformly from those with orthonormal rows (out ≤ in: W Wᵀ = I) or columns (out > in: Wᵀ W = I):
/// the Q of the QR decomposition of a Gaussian, with the diagonal of R positive.
/// Source: Saxe, McClelland, Ganguli, ICLR 2014; the sign: Mezzadri, "How to generate random matrices from the
/// classical compact groups", 2007. Throws `Error` below rank 2.
Tensor orthogonal(const Shape& shape, Rng& rng, DType dtype = DType::float32);

/// Each matrix with ones where row and column are equal, zeros elsewhere. Throws `Error` below rank 2.
Tensor identity(const Shape& shape, DType dtype = DType::float32);

}  // namespace lintel::nn
