// Working memory of one task.
#pragma once

#include <lintel/core/tensor.hpp>

namespace lintel {

/// `count` numbers that are not set yet, given back when it goes out of scope. It comes from the caching resource of
/// tensors, so that a task pays for no system call, and what it needs is counted.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count) : buffer_(empty({count}, dtype_of<T>())), first_(write<T>(buffer_, "scratch")) {}

  operator T*() const { return first_; }

 private:
  Tensor buffer_;
  T* first_;
};

}  // namespace lintel
