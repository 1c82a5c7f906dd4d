// Losses under the name a training loop knows them by.
#pragma once

#include <lintel/ops/cross_entropy.hpp>
#include <lintel/ops/linear_cross_entropy.hpp>
#include <lintel/ops/mse.hpp>

namespace lintel::nn {

using lintel::cross_entropy;
using lintel::linear_cross_entropy;
using lintel::mse;

}  // namespace lintel::nn
