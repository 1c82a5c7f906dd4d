#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <limits>
#include <lintel/core/cpu_limits.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/core/team.hpp>
#include <mutex>
#include <utility>
#include <vector>

namespace lintel {
namespace parallel_detail {

/// Elementary operations that a further thread should have, once any is woken.
constexpr double worth_a_thread = 30000;
/// Below this many of them nobody is woken: the first to be woken costs most, and both wait where a core is taken away.
constexpr double worth_waking = 6 * worth_a_thread;

/// For how many threads there is enough to do.
std::int64_t threads_worth(double operations) {
  return operations < worth_waking ? 1 : static_cast<std::int64_t>(std::min(operations / worth_a_thread, 1e6)) + 1;
}

int default_threads() {
  if (const char* text = std::getenv("LINTEL_THREADS")) {
    char* end = nullptr;
    const long count = std::strtol(text, &end, 10);
    if (end == text || *end != '\0' || count < 1 || count > 1024) {
      fail("LINTEL_THREADS: is \"", text, "\", a number from 1 to 1024 wanted");
    }
    return static_cast<int>(count);
  }
  return available_cores();
}

std::atomic<int>& chosen_threads() {
  static std::atomic<int> chosen = 0;
  return chosen;
}

thread_local bool inside_region = false;
thread_local int used_last = 1;
thread_local int limit = std::numeric_limits<int>::max();

/// The exception of the lowest task index.
class FirstFailure {
 public:
  void keep(std::int64_t index, std::exception_ptr exception) {
    const std::lock_guard lock(mutex_);
    if (index >= index_) return;
    index_ = index;
    exception_ = exception;
  }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::mutex mutex_;
  std::int64_t index_ = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr exception_;
};

/// The tasks of a region, a contiguous share for each thread. A thread that is done with its own share goes on with
/// what the others have left, so that one slow core does not keep all waiting. The first task of a share is its
/// owner's: no thread is woken in vain.
class Shares {
 public:
  /// At least as many tasks as shares.
  Shares(std::int64_t tasks, int count) : shares_(static_cast<std::size_t>(count)) {
    for (int i = 0; i < count; ++i) {
      Share& share = shares_[static_cast<std::size_t>(i)];
      share.first = tasks * i / count;
      share.next = share.first + 1;
      share.end = tasks * (i + 1) / count;
    }
  }

  /// Runs tasks until none is left. All threads of a team call this, of which there may be fewer than shares.
  template <class Run>
  void work(int thread, int team, const Run& run) {
    const auto own = static_cast<std::size_t>(thread);
    for (std::size_t i = own; i < shares_.size(); i += static_cast<std::size_t>(team)) run(shares_[i].first);
    for (std::size_t turn = 0; turn < shares_.size(); ++turn) {
      Share& share = shares_[(own + turn) % shares_.size()];
      for (std::int64_t index = share.next++; index < share.end; index = share.next++) run(index);
    }
  }

 private:
  struct alignas(64) Share {  // a cache line each
    std::int64_t first = 0;
    std::atomic<std::int64_t> next = 0;
    std::int64_t end = 0;
  };
  std::vector<Share> shares_;
};

/// A loop, and what becomes of it.
struct Loop {
  std::int64_t tasks;
  void (*task)(void*, std::int64_t);
  void* context;
  FirstFailure failure = {};
  int team = 1;  // threads that ran

  void run(std::int64_t index) {
    try {
      task(context, index);
    } catch (...) {
      failure.keep(index, std::current_exception());
    }
  }

  void run_alone() {
    const bool outer = std::exchange(inside_region, true);
    for (std::int64_t index = 0; index < tasks; ++index) run(index);
    inside_region = outer;
  }

  /// False where the team is not to be had.
  bool run_together(int wanted) {
    struct Together {
      Loop& loop;
      Shares shares;
    } together{*this, Shares(tasks, wanted)};
    const auto work = [](void* of, int rank, int size) {
      Together& region = *static_cast<Together*>(of);
      if (rank == 0) region.loop.team = size;
      inside_region = true;
      region.shares.work(rank, size, [&region](std::int64_t index) { region.loop.run(index); });
      inside_region = false;
    };
    return detail::run_on_team(wanted, work, &together);
  }
};

}  // namespace parallel_detail

int threads() {
  std::atomic<int>& chosen = parallel_detail::chosen_threads();
  if (chosen.load() == 0) chosen.store(parallel_detail::default_threads());
  return std::min(chosen.load(), parallel_detail::limit);
}

void set_threads(int count) {
  if (count < 1 || count > 1024) fail("set_threads: count is ", count, ", 1 to 1024 wanted");
  parallel_detail::chosen_threads().store(count);
}

int threads_used_last() { return parallel_detail::used_last; }

ThreadLimit::ThreadLimit(int count) : outer_(parallel_detail::limit) {
  if (count < 1) fail("ThreadLimit: count is ", count, ", at least 1 wanted");
  parallel_detail::limit = std::min(outer_, count);
}

ThreadLimit::~ThreadLimit() { parallel_detail::limit = outer_; }

void detail::run_parallel(std::int64_t tasks, double cost_per_task, void (*task)(void*, std::int64_t), void* context) {
  using namespace parallel_detail;
  Loop loop{tasks, task, context};
  const std::int64_t worth = threads_worth(cost_per_task * static_cast<double>(tasks));
  const bool is_outermost = !inside_region;
  const auto wanted = is_outermost ? static_cast<int>(std::min({std::int64_t{threads()}, tasks, worth})) : 1;
  if (wanted < 2 || !loop.run_together(wanted)) loop.run_alone();
  if (is_outermost) used_last = loop.team;
  loop.failure.rethrow();
}

}  // namespace lintel
