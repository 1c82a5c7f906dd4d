#include <algorithm>

#include <lintel/core/visit.hpp>
#include <lintel/nn/attention_memory.hpp>
#include <lintel/nn/attention_state.hpp>

namespace lintel::nn {
namespace attention_state_detail {

/// The parts `from` of x (parts, …), each of `size` bytes, one after the other.
Tensor parts_of(const Tensor& x, const std::vector<std::int64_t>& from) {
  const Tensor result = empty(x.shape().with(0, static_cast<std::int64_t>(from.size())), x.dtype());
  if (x.size() == 0 || from.empty()) return result;
  const std::size_t size = x.bytes() / static_cast<std::size_t>(x.size(0));
  const auto* const source = static_cast<const std::byte*>(view(x).data);
  auto* to = static_cast<std::byte*>(write_bytes(result, x.dtype(), "attention_state"));
  for (const std::int64_t part : from) to = std::copy_n(source + static_cast<std::size_t>(part) * size, size, to);
  return result;
}

std::int64_t longest(const Tensor& lengths) {
  const auto values = lengths.values<std::int64_t>();
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

}  // namespace attention_state_detail

std::int64_t AttentionState::bytes() const {
  std::int64_t tails = 0;
  if (convolution)
    for_each_tensor(*convolution,
                    [&](const std::string&, const Tensor& x) { tails += static_cast<std::int64_t>(x.bytes()); });
  if (const auto* kernel = std::get_if<KernelMemory>(&memory)) {
    return tails + static_cast<std::int64_t>(kernel->matrix.bytes() + kernel->vector.bytes());
  }
  const auto& cache = std::get<SoftmaxMemory>(memory);
  std::int64_t tokens = 0;
  for (const std::int64_t length : lengths.values<std::int64_t>()) tokens += length;
  return tails + tokens * cache.keys.size(1) * (cache.keys.size(3) + cache.values.size(3)) *
                     static_cast<std::int64_t>(dtype_size(cache.keys.dtype()));
}

AttentionState AttentionState::select(const std::vector<std::int64_t>& wanted) const {
  for (const std::int64_t stream : wanted) {
    if (stream < 0 || stream >= streams()) fail("attention_state: there is no stream ", stream, " of ", streams());
  }
  AttentionState result = *this;
  for_each_tensor(result, [&](const std::string&, Tensor& x) { x = attention_state_detail::parts_of(x, wanted); });
  return result;
}

AttentionState AttentionState::trimmed() const {
  AttentionState result = *this;
  if (auto* cache = std::get_if<SoftmaxMemory>(&result.memory)) {
    const std::int64_t used = attention_state_detail::longest(lengths);
    cache->keys = with_capacity(cache->keys, used);
    cache->values = with_capacity(cache->values, used);
  }
  return result;
}

}  // namespace lintel::nn
