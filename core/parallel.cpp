#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <limits>
#include <lintel/core/error.hpp>
#include <lintel/core/parallel.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace lintel {
namespace parallel_detail {

/// Below this many elementary operations a second thread costs more to wake than it saves.
[[maybe_unused]] constexpr double worth_a_thread = 30000;  // without OpenMP nobody asks

/// The cores that a cgroup quota leaves to this process; the largest integer where there is none.
int cgroup_cores() {
  std::ifstream limit("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (!(limit >> quota >> period) || period <= 0) return std::numeric_limits<int>::max();  // "max" is no number
  return std::max(1, static_cast<int>(quota / period));
}

int cores_of_affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
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
  return std::min(cores_of_affinity(), cgroup_cores());
}

std::atomic<int>& chosen_threads() {
  static std::atomic<int> chosen = 0;
  return chosen;
}

thread_local bool inside_region = false;
thread_local int used_last = 1;

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
class [[maybe_unused]] Shares {
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

}  // namespace parallel_detail

int threads() {
  std::atomic<int>& chosen = parallel_detail::chosen_threads();
  if (chosen.load() == 0) chosen.store(parallel_detail::default_threads());
  return chosen.load();
}

void set_threads(int count) {
  if (count < 1 || count > 1024) fail("set_threads: count is ", count, ", 1 to 1024 wanted");
  parallel_detail::chosen_threads().store(count);
}

int threads_used_last() { return parallel_detail::used_last; }

void detail::run_parallel(std::int64_t tasks, double cost_per_task, void (*task)(void*, std::int64_t), void* context) {
  using namespace parallel_detail;
  FirstFailure failure;
  auto run = [&](std::int64_t index) {
    try {
      task(context, index);
    } catch (...) {
      failure.keep(index, std::current_exception());
    }
  };
#ifdef _OPENMP
  const double total_cost = cost_per_task * static_cast<double>(tasks);
  const auto worth = static_cast<std::int64_t>(std::min(total_cost / worth_a_thread, 1e6)) + 1;
  const auto team = static_cast<int>(std::min({static_cast<std::int64_t>(threads()), tasks, worth}));
  if (team > 1 && !inside_region) {
    Shares shares(tasks, team);
#pragma omp parallel num_threads(team)
    {
      inside_region = true;
      shares.work(omp_get_thread_num(), omp_get_num_threads(), run);
      inside_region = false;
#pragma omp master
      used_last = omp_get_num_threads();
    }
    failure.rethrow();
    return;
  }
#endif
  (void)cost_per_task;
  const bool outermost = !inside_region;
  inside_region = true;
  for (std::int64_t index = 0; index < tasks; ++index) run(index);
  if (outermost) {
    inside_region = false;
    used_last = 1;
  }
  failure.rethrow();
}

}  // namespace lintel
