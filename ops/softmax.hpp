// softmax and its logarithm, over the last axis.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// y = e^(x − max x) / Σ e^(x − max x) for each row of the last axis: finite for every finite x, any size.
/// x (…, n) → (…, n), float32 or float64. −∞ gives 0; a row that holds +∞ or NaN, or −∞ only, gives NaN.
/// Saves y. Throws `Error` for a scalar x.
Tensor softmax(const Tensor& x);

/// y = x − max x − log Σ e^(x − max x) for each row of the last axis; shapes, types and errors as `softmax`. Saves y.
Tensor log_softmax(const Tensor& x);

}  // namespace lintel
