// One parallel pass over all parameters, small and large.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <lintel/core/parallel.hpp>

namespace lintel::nn {

/// The elements of several tensors in one long row, cut into blocks of one size wherever the tensors begin and end:
/// many small tensors make one task, a large one many, and the cut depends on sizes only.
class JoinedTensors {
 public:
  void add(std::int64_t size) { ends_.push_back(elements() + size); }
  std::int64_t blocks() const { return (elements() + block - 1) / block; }

  /// Calls `task(index)` for every block, in parallel. `cost` counts operations per element.
  template <class Task>
  void for_each_block(double cost, Task&& task) const {
    const std::int64_t largest = std::min(block, elements());
    parallel_for(blocks(), cost * static_cast<double>(largest), task);
  }

  /// Calls `body(tensor, begin, end)` for every piece of a tensor in block `index`, in their order.
  template <class Body>
  void for_each_piece(std::int64_t index, Body&& body) const {
    std::int64_t at = index * block;
    const std::int64_t last = std::min(at + block, elements());
    auto tensor = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin());
    for (; at < last; ++tensor) {
      const std::int64_t start = tensor == 0 ? 0 : ends_[tensor - 1], stop = std::min(last, ends_[tensor]);
      if (stop > at) body(tensor, at - start, stop - start);
      at = stop;
    }
  }

 private:
  static constexpr std::int64_t block = 1 << 14;

  std::int64_t elements() const { return ends_.empty() ? 0 : ends_.back(); }

  std::vector<std::int64_t> ends_;  // of every tensor in the row
};

}  // namespace lintel::nn
