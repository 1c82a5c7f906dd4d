// How much memory this process has taken.
#pragma once

#include <cstdint>

namespace lintel::train {

/// The most bytes of physical memory that this process ever held (its peak resident set size).
std::int64_t peak_resident_bytes();

}  // namespace lintel::train
