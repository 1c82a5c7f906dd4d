// Settings of the process for the length of a scope.
#pragma once

#include <lintel/core/isa.hpp>
#include <lintel/core/parallel.hpp>

namespace lintel_test {

class WithThreads {
 public:
  explicit WithThreads(int count) : before_(lintel::threads()) { lintel::set_threads(count); }
  ~WithThreads() { lintel::set_threads(before_); }
  WithThreads(const WithThreads&) = delete;
  WithThreads& operator=(const WithThreads&) = delete;

 private:
  int before_;
};

class WithIsa {
 public:
  explicit WithIsa(lintel::Isa isa) : before_(lintel::active_isa()) { lintel::set_active_isa(isa); }
  ~WithIsa() { lintel::set_active_isa(before_); }
  WithIsa(const WithIsa&) = delete;
  WithIsa& operator=(const WithIsa&) = delete;

 private:
  lintel::Isa before_;
};

}  // namespace lintel_test
