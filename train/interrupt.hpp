// Ctrl-C as a wish to stop, not as a crash.
#pragma once

#include <csignal>

namespace lintel::train {

/// While it lives, the first SIGINT or SIGTERM only makes `requested()` true, so that a loop can stop at a good place.
/// A second one ends the process as usual. One at a time in a process.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool requested() const { return signal_number() != 0; }
  /// SIGINT, SIGTERM, or 0 when none came.
  int signal_number() const;

 private:
  struct sigaction old_interrupt_ = {};
  struct sigaction old_terminate_ = {};
};

}  // namespace lintel::train
