// How attention layers read on with a state: what the two kinds share.
#pragma once

#include <lintel/nn/attention_state.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel::nn {

/// Gives `x` a buffer of its own if other handles share it, so that it can be written.
void own_buffer(Tensor& x);

/// x (streams, heads, capacity, size) with another capacity; what is new is 0.
Tensor with_capacity(const Tensor& x, std::int64_t capacity);

/// Makes room for `tokens` tokens of each stream, in buffers of `cache`'s own.
void make_room(SoftmaxMemory& cache, std::int64_t tokens);

/// Throws `Error` unless there is one sequence for each stream.
void check_state(const AttentionState& state, const Sequences& sequences);

/// For every row its place in its sequence, plus that sequence's number of `lengths`, which may be undefined; 0 in
/// padding: int64 (rows).
Tensor positions_of_rows(const Tensor& lengths, const Sequences& sequences);

/// The tokens of the longest stream after `sequences` were read.
std::int64_t longest_after(const AttentionState& state, const Sequences& sequences);

/// Adds the lengths of the sequences to `state.lengths`.
void count_read(AttentionState& state, const Sequences& sequences);

}  // namespace lintel::nn
