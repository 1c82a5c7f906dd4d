// Cross-entropy of logits and class labels.
#pragma once

#include <cstdint>

#include <lintel/core/tensor.hpp>

namespace lintel {

struct CrossEntropyOptions {
  /// Rows with this label count neither in the sum nor in the mean.
  std::int64_t ignore_index = -100;
  /// The share of the target spread evenly over all classes, in [0, 1].
  double label_smoothing = 0;
};

/// The mean over the rows that are not ignored of
///   (1 − s)·(log Σ e^x − x[label]) + s·mean over c of (log Σ e^x − x[c]),   s = label_smoothing,
/// as a scalar; 0 when all rows are ignored. Finite for all finite logits: the row's maximum is subtracted.
/// logits (…, C) float32 or float64, labels (…) int64. The row losses add up in float64. Saves the logits and two
/// numbers a row; probabilities are computed again in the backward pass. Throws `Error` for other shapes or types, a
/// label that is neither in [0, C) nor ignored (naming it and its row), or a smoothing outside [0, 1]. Source of the
/// smoothing: Szegedy et al., "Rethinking the Inception architecture", arXiv 1512.00567, section 7.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options = {});

}  // namespace lintel
