#include <lintel/train/interrupt.hpp>

namespace lintel::train {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void note_signal(int number) { received_signal = number; }

}  // namespace

InterruptGuard::InterruptGuard() {
  received_signal = 0;
  struct sigaction action = {};
  action.sa_handler = note_signal;
  // The default action comes back with the first signal. Interrupted system calls are restarted: a half-written
  // checkpoint would be worse than a late stop.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
}

int InterruptGuard::signal_number() const { return received_signal; }

}  // namespace lintel::train
