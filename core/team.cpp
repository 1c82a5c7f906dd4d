#include <algorithm>
#include <atomic>
#include <chrono>
#include <lintel/core/cpu_limits.hpp>
#include <lintel/core/team.hpp>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace lintel {
namespace team_detail {

using Body = void (*)(void* context, int rank, int size);

/// Holds the team for one region. Nobody waits for it: who comes second works alone.
class Turn {
 public:
  explicit Turn(std::atomic_flag& taken) : taken_(taken), has_it_(!taken.test_and_set(std::memory_order_acquire)) {}
  ~Turn() {
    if (has_it_) taken_.clear(std::memory_order_release);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  explicit operator bool() const { return has_it_; }

 private:
  std::atomic_flag& taken_;
  bool has_it_;
};

/// Has `handler` called in every process that is forked from this one.
void call_after_fork([[maybe_unused]] void (*handler)()) {
#if defined(__unix__) || defined(__APPLE__)
  pthread_atfork(nullptr, nullptr, handler);
#endif
}

#ifdef _OPENMP

/// OpenMP keeps the threads; what is ours is the turn, and to know when they are lost.
struct Team {
  std::atomic_flag taken = ATOMIC_FLAG_INIT;
  std::atomic<bool> lost = false;

  bool run(int wanted, Body body, void* context) {
    if (lost.load(std::memory_order_relaxed)) return false;
    const Turn turn(taken);
    if (!turn) return false;
#pragma omp parallel num_threads(wanted)
    body(context, omp_get_thread_num(), omp_get_num_threads());
    return true;
  }
};

/// Never destroyed, so that a static object may compute after `main`.
Team& team() {
  static Team& only = []() -> Team& {
    call_after_fork([] { team().lost = true; });
    return *new Team;
  }();
  return only;
}

#else

/// Gives the other thread of a core its turn, and saves power.
void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns when `word` is no longer `old`. At first it watches, since the next region often follows within
/// microseconds; after 1 ms, or at once where watching would keep a core from those that work, it sleeps.
void wait_while(const std::atomic<unsigned>& word, unsigned old, bool may_watch) {
  constexpr int looks = 64;  // between two looks at the clock
  constexpr std::chrono::milliseconds patience(1);
  if (may_watch) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    do {
      for (int i = 0; i < looks; ++i) {
        if (word.load(std::memory_order_acquire) != old) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < give_up);
  }
  word.wait(old, std::memory_order_acquire);
}

/// Threads that wait, each for a word of its own to change, so that no region wakes more of them than it uses.
class Team {
 public:
  bool run(int wanted, Body body, void* context) {
    const Turn turn(taken_);
    if (!turn) return false;
    grow(wanted - 1);
    const int size = 1 + std::min(wanted - 1, static_cast<int>(workers_.size()));
    body_ = body;
    context_ = context;
    size_ = size;
    may_watch_.store(size <= cores_, std::memory_order_relaxed);
    working_.store(static_cast<unsigned>(size - 1), std::memory_order_relaxed);
    for (int rank = 1; rank < size; ++rank) {
      std::atomic<unsigned>& call = workers_[static_cast<std::size_t>(rank - 1)]->calls;
      call.fetch_add(1, std::memory_order_release);
      call.notify_one();
    }
    body(context, 0, size);
    for (unsigned working; (working = working_.load(std::memory_order_acquire)) != 0;) {
      wait_while(working_, working, size <= cores_);
    }
    return true;
  }

 private:
  struct alignas(64) Worker {
    std::atomic<unsigned> calls = 0;
  };

  /// Starts threads until there are `count`, or the system refuses.
  void grow(int count) {
    while (static_cast<int>(workers_.size()) < count) {
      workers_.push_back(std::make_unique<Worker>());
      Worker& worker = *workers_.back();
      try {
        std::thread([this, &worker, rank = static_cast<int>(workers_.size())] { work(worker, rank); }).detach();
      } catch (const std::system_error&) {
        workers_.pop_back();
        return;
      }
    }
  }

  void work(Worker& worker, int rank) {
    for (unsigned answered = 0;; ++answered) {
      while (worker.calls.load(std::memory_order_acquire) == answered) {
        wait_while(worker.calls, answered, may_watch_.load(std::memory_order_relaxed));
      }
      body_(context_, rank, size_);
      if (working_.fetch_sub(1, std::memory_order_acq_rel) == 1) working_.notify_one();
    }
  }

  std::atomic_flag taken_ = ATOMIC_FLAG_INIT;
  const int cores_ = available_cores();
  std::vector<std::unique_ptr<Worker> > workers_;
  // Of the region that runs; written while every worker waits.
  Body body_ = nullptr;
  void* context_ = nullptr;
  int size_ = 0;
  std::atomic<bool> may_watch_ = true;
  alignas(64) std::atomic<unsigned> working_ = 0;
};

std::atomic<Team*>& current_team() {
  static std::atomic<Team*> current = [] {
    call_after_fork([] { current_team().store(nullptr); });  // its threads stayed behind; a new one starts when needed
    return static_cast<Team*>(nullptr);
  }();
  return current;
}

/// Never destroyed: its threads may outlive `main`.
Team& team() {
  Team* current = current_team().load(std::memory_order_acquire);
  if (current) return *current;
  auto fresh = std::make_unique<Team>();
  return current_team().compare_exchange_strong(current, fresh.get()) ? *fresh.release() : *current;
}

#endif

}  // namespace team_detail

bool detail::run_on_team(int wanted, void (*body)(void*, int, int), void* context) {
  return team_detail::team().run(wanted, body, context);
}

}  // namespace lintel
