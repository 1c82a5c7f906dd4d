// Parallel loops whose results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <type_traits>

#include <lintel/core/matmul_precision.hpp>

namespace lintel {

/// The number of threads that a `parallel_for` started here may use: `set_threads`, or by default `LINTEL_THREADS` if
/// set (obeyed as it is), else the number of cores clamped to this process's affinity and cgroup quota; and no more
/// than a `ThreadLimit` of this thread allows.
int threads();

/// Sets the number of threads; an explicit count is obeyed, above the number of cores too. Throws `Error` below 1.
void set_threads(int count);

/// The number of distinct threads that ran tasks of the most recent `parallel_for` started by this thread.
int threads_used_last();

/// While it lives, the parallel loops that this thread starts use at most `count` threads; of nested limits the lowest
/// holds. A program with threads of its own gives each a limit of 1: then every one computes where it stands, and none
/// waits for another. Throws `Error` below 1.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int outer_;
};

namespace detail {
void run_parallel(std::int64_t tasks, double cost_per_task, void (*task)(void* context, std::int64_t index),
                  void* context);
}

/// Calls `task(i)` for every i in [0, tasks), each exactly once, in any order and on any thread.
/// `cost_per_task` is a rough count of elementary operations in one task; no more threads are woken than the whole is
/// worth. Cut work by shape only, never by `threads()`: then the bits of a result do not depend on the thread count.
/// A nested call runs serially, and so does one that another thread makes while the threads are at work. If tasks
/// throw, all others still run and the exception of the lowest index is rethrown.
template <class Task>
void parallel_for(std::int64_t tasks, double cost_per_task, Task&& task) {
  struct Context {
    std::remove_reference_t<Task>& task;
    DType precision;  // that of the caller's products
  };
  Context context{task, matmul_precision()};
  auto call = [](void* pointer, std::int64_t index) {
    const Context& caller = *static_cast<Context*>(pointer);
    const MatmulPrecision precision(caller.precision);
    caller.task(index);
  };
  detail::run_parallel(tasks, cost_per_task, call, &context);
}

/// What one of so many tasks has to do of `total`, on average: the cost of a task where some are smaller than others.
inline double share_of_task(double total, std::int64_t tasks) {
  return total / static_cast<double>(tasks > 1 ? tasks : 1);
}

/// Cuts [0, count) into blocks of `block` elements (the last may be shorter) and calls `body(begin, end)` for each,
/// in parallel. `cost_per_element` is a rough count of elementary operations per element.
template <class Body>
void parallel_blocks(std::int64_t count, std::int64_t block, double cost_per_element, Body&& body) {
  const std::int64_t tasks = (count + block - 1) / block;
  parallel_for(tasks, share_of_task(cost_per_element * static_cast<double>(count), tasks), [&](std::int64_t index) {
    const std::int64_t begin = index * block;
    body(begin, begin + block < count ? begin + block : count);
  });
}

}  // namespace lintel
