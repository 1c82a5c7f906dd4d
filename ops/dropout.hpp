// Dropout, whose mask is a function of a key.
#pragma once

#include <cstdint>

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Which elements an op with dropout in it drops: see `dropout`. A rate of 0 drops none.
struct DropoutMask {
  double rate = 0;
  std::uint64_t key = 0;
};

/// Keeps each element with probability 1 − rate and scales it by 1/(1 − rate); the others become 0.
/// Element i is kept when word i mod 4 of philox(key, i/4) is at least rate·2³²: the mask is a function of key and
/// place alone, the same for every thread count, instruction set and type, and no memory is spent on it. The derivative
/// is dropout again, with the same key. x of any shape, float32 or float64. A rate of 0 is the identity. Throws `Error`
/// for a rate outside [0, 1). Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from
/// overfitting", JMLR 15, 2014.
Tensor dropout(const Tensor& x, double rate, std::uint64_t key);

}  // namespace lintel
