// Less memory for more time: what a function computes inside is computed again when its gradient is wanted.
#pragma once

#include <functional>

#include <lintel/autograd/tape.hpp>

namespace lintel {

/// f(), recorded as one op. Tapes keep only the tensors that f read from outside and that they watch, directly or
/// through their records; nothing that f computed on its way. The backward pass calls f again, on a tape of its own,
/// and differentiates that: the gradients are those of f without a checkpoint, bit for bit unless f reads a tensor
/// twice that is also read elsewhere, which changes the order of a sum. Random numbers must therefore be functions of a
/// key, as those of `dropout` are.
///
/// f must compute the same whenever it is called, and own what it needs: it is kept as long as the record. Checkpoints
/// nest, and are differentiated any number of times. The record's `flops` are those of f, once. Throws `Error` when f
/// gives no tensor, and what f throws. Source: Griewank, Walther, "Revolve", ACM TOMS 26, 2000; for networks, Chen et
/// al., "Training deep nets with sublinear memory cost", arXiv 1604.06174.
Tensor checkpoint(std::function<Tensor()> f);

}  // namespace lintel
