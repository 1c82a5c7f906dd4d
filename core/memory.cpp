#include <algorithm>
#include <atomic>
#include <bit>
#include <lintel/core/memory.hpp>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace lintel {
namespace memory_detail {

constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t largest_block = std::size_t{1} << 46;  // 64 TiB: a larger request is a mistake, not a need

/// Rounds up to a multiple of an eighth of the power of two below: at most 12.5 % is wasted, and batches of slightly
/// different length share blocks.
std::size_t size_class(std::size_t bytes) {
  const std::size_t at_least = std::max(bytes, buffer_alignment);
  const std::size_t step = std::max(std::bit_floor(at_least) / 8, buffer_alignment);
  return (at_least + step - 1) / step * step;
}

std::size_t alignment_of_block(std::size_t bytes) { return bytes >= huge_page ? huge_page : buffer_alignment; }

/// Keeps freed blocks in a list per size class. The first touch of a fresh page costs far more than any arithmetic done
/// on it, so memory that was had once is not given back before `release`.
class CachingResource final : public std::pmr::memory_resource {
 public:
  MemoryStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak = statistics_.live;
  }

  void release() {
    const std::lock_guard lock(mutex_);
    for (auto& [bytes, blocks] : free_blocks_) {
      for (void* block : blocks) ::operator delete(block, std::align_val_t(alignment_of_block(bytes)));
      blocks.clear();
    }
    statistics_.cached = 0;
  }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (alignment > buffer_alignment) throw std::bad_alloc();
    if (bytes > largest_block) throw std::bad_alloc();
    const std::size_t block_bytes = size_class(bytes);
    const auto counted = static_cast<std::int64_t>(block_bytes);
    const std::lock_guard lock(mutex_);
    std::vector<void*>& blocks = free_blocks_[block_bytes];
    void* block = nullptr;
    if (!blocks.empty()) {
      block = blocks.back();
      blocks.pop_back();
      statistics_.cached -= counted;
    } else {
      block = fresh_block(block_bytes);
    }
    statistics_.live += counted;
    statistics_.peak = std::max(statistics_.peak, statistics_.live);
    return block;
  }

  void do_deallocate(void* block, std::size_t bytes, std::size_t) override {
    const std::size_t block_bytes = size_class(bytes);
    const auto counted = static_cast<std::int64_t>(block_bytes);
    const std::lock_guard lock(mutex_);
    free_blocks_[block_bytes].push_back(block);
    statistics_.live -= counted;
    statistics_.cached += counted;
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  static void* fresh_block(std::size_t bytes) {
    void* block = ::operator new(bytes, std::align_val_t(alignment_of_block(bytes)));
#ifdef __linux__
    if (bytes >= huge_page) madvise(block, bytes, MADV_HUGEPAGE);  // a hint: refused quietly where there are none
#endif
    return block;
  }

  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<void*>> free_blocks_;
  MemoryStatistics statistics_;
};

CachingResource& caching_resource() {
  static CachingResource& resource = *new CachingResource;  // never destroyed: a static tensor may be freed later
  return resource;
}

std::atomic<std::pmr::memory_resource*>& chosen_resource() {
  static std::atomic<std::pmr::memory_resource*> chosen = nullptr;
  return chosen;
}

}  // namespace memory_detail

std::pmr::memory_resource& tensor_memory() {
  std::pmr::memory_resource* chosen = memory_detail::chosen_resource().load();
  return chosen ? *chosen : memory_detail::caching_resource();
}

void set_tensor_memory(std::pmr::memory_resource* resource) { memory_detail::chosen_resource().store(resource); }

MemoryStatistics memory_statistics() { return memory_detail::caching_resource().statistics(); }

void reset_peak_memory() { memory_detail::caching_resource().reset_peak(); }

void release_cached_memory() { memory_detail::caching_resource().release(); }

}  // namespace lintel
