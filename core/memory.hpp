// Where tensors' bytes come from: a caching, counting memory resource with huge pages for large blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace lintel {

/// Every tensor buffer starts on this many bytes.
inline constexpr std::size_t buffer_alignment = 64;

/// What the caching resource holds, in bytes: in use, freed and kept for reuse, and the most that was ever in use.
struct MemoryStatistics {
  std::int64_t live = 0;
  std::int64_t cached = 0;
  std::int64_t peak = 0;
};

/// The resource that new tensors use. At first the process-wide caching resource, which is made on first use and never
/// destroyed, so that a static tensor may outlive everything.
std::pmr::memory_resource& tensor_memory();

/// Makes new tensors use `resource` (null: the caching resource again). It must outlive every tensor made from it.
void set_tensor_memory(std::pmr::memory_resource* resource);

/// Counters of the caching resource.
MemoryStatistics memory_statistics();

/// Starts a new measurement of `MemoryStatistics::peak` from what is live now.
void reset_peak_memory();

/// Gives every cached block of the caching resource back to the system.
void release_cached_memory();

}  // namespace lintel
