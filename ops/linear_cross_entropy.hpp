// Cross-entropy of a linear layer's output, which is never held as a whole.
#pragma once

#include <lintel/core/tensor.hpp>
#include <lintel/ops/cross_entropy.hpp>

namespace lintel {

/// `cross_entropy(linear(x, weight, bias), labels, options)` without the logits (…, classes): those of some rows exist
/// at a time, 2²⁰ (4 MiB in float32) or, with more than 2,048 classes, those of 512 rows. x (…, in), weight (classes,
/// in), bias (classes) or `Tensor()` for none, labels (…) int64 → a scalar; float32 or float64, one type for all. The
/// gradients follow from the logits, so they are computed while these are at hand, in the forward pass: those of the
/// inputs that a tape watches, and no others. Saves them, of the sizes of x, weight and bias, beside the inputs; the
/// backward pass only multiplies by its cotangent. Without a tape nothing is saved, and 2²⁰ logits are all it needs.
/// A row's log Σ e^logit is summed block by block of classes as its maximum rises (Milakov, Gimelshein, "Online
/// normalizer calculation for softmax", arXiv 1805.02867); gradients in the forward pass as in Hsu et al., "Liger
/// Kernel", arXiv 2410.10989. Throws `Error` when sizes or types do not fit, and as `cross_entropy` does for labels and
/// options.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& labels,
                            const CrossEntropyOptions& options = {});

}  // namespace lintel
