#include <algorithm>

#include <lintel/nn/attention_memory.hpp>

namespace lintel::nn {

Tensor with_capacity(const Tensor& x, std::int64_t capacity) {
  const Tensor result = zeros(x.shape().with(2, capacity), x.dtype());
  const std::size_t row = static_cast<std::size_t>(x.size(3)) * dtype_size(x.dtype());
  const std::size_t before = static_cast<std::size_t>(x.size(2)) * row,
                    after = static_cast<std::size_t>(capacity) * row;
  const auto* from = static_cast<const std::byte*>(view(x).data);
  auto* to = static_cast<std::byte*>(write_bytes(result, x.dtype(), "attention_state"));
  for (std::int64_t i = 0; i < x.size(0) * x.size(1); ++i) {
    std::copy_n(from + static_cast<std::size_t>(i) * before, std::min(before, after),
                to + static_cast<std::size_t>(i) * after);
  }
  return result;
}

void own_buffer(Tensor& x) {
  if (!x.owns_buffer_alone()) x = clone(x);
}

void make_room(SoftmaxMemory& cache, std::int64_t tokens) {
  const std::int64_t capacity = cache.keys.size(2);
  if (tokens > capacity) {
    constexpr std::int64_t least = 64;
    const std::int64_t enough = std::max({tokens, 2 * capacity, least});
    cache.keys = with_capacity(cache.keys, enough);
    cache.values = with_capacity(cache.values, enough);
  }
  own_buffer(cache.keys);
  own_buffer(cache.values);
}

void check_state(const AttentionState& state, const Sequences& sequences) {
  if (state.streams() == sequences.count()) return;
  fail("attention: ", sequences.count(), " sequences for a state of ", state.streams(),
       " streams, one for each wanted");
}

Tensor positions_of_rows(const Tensor& lengths, const Sequences& sequences) {
  const Tensor positions = zeros({sequences.rows()}, DType::int64);
  auto* const position = write<std::int64_t>(positions, "positions_of_rows");
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const std::int64_t first = lengths.defined() ? lengths.data<std::int64_t>()[i] : 0;
    for (std::int64_t row = 0; row < sequences.length(i); ++row) position[sequences.begin(i) + row] = first + row;
  }
  return positions;
}

std::int64_t longest_after(const AttentionState& state, const Sequences& sequences) {
  std::int64_t longest = 0;
  const auto* const lengths = state.lengths.data<std::int64_t>();
  for (std::int64_t i = 0; i < sequences.count(); ++i) longest = std::max(longest, lengths[i] + sequences.length(i));
  return longest;
}

void count_read(AttentionState& state, const Sequences& sequences) {
  own_buffer(state.lengths);
  auto* const length = write<std::int64_t>(state.lengths, "attention_state");
  for (std::int64_t i = 0; i < sequences.count(); ++i) length[i] += sequences.length(i);
}

}  // namespace lintel::nn
