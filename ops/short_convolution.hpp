// A convolution over the last few tokens, a filter for each channel.
#pragma once

#include <lintel/core/tensor.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel {

/// For each channel c by itself, with x of the same sequence only:
///   y_t,c = Σ_j weight_j,c · x_t−j,c,   j = 0 … width − 1, as far as the sequence reaches back.
/// x (T, c) packed or (B, N, c) padded, weight (width, c), its first row for the token itself → the shape of x. Rows
/// outside every sequence give 0 and receive a gradient of 0. float32 or float64, one type for both. Saves its inputs.
/// Throws `Error` for other shapes or types, or sequences that do not fit the rows. Source, as a part of attention:
/// Fu et al., "Hungry Hungry Hippos", arXiv 2212.14052.
Tensor short_convolution(const Tensor& x, const Tensor& weight, const Sequences& sequences);

}  // namespace lintel
