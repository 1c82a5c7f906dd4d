#include <lintel/train/peak_memory.hpp>

#include <sys/resource.h>

namespace lintel::train {

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;  // bytes there, kilobytes elsewhere
#else
  return std::int64_t{usage.ru_maxrss} * 1024;
#endif
}

}  // namespace lintel::train
