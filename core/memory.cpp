#include <algorithm>
#include <atomic>
#include <bit>
#include <iterator>
#include <lintel/core/memory.hpp>
#include <map>
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

/// Keeps freed blocks for reuse. The first touch of a fresh page costs far more than any arithmetic done on it, so
/// memory that was had once is not given back lightly. Small blocks are reused by their size class. A large one also
/// serves smaller requests, down to half its size: batches of packed sequences differ in size at every step, and exact
/// classes alone would collect a whole set of buffers for each.
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
    for (auto& [bytes, blocks] : free_small_) {
      for (void* block : blocks) give_back(block, bytes);
      blocks.clear();
    }
    while (!free_large_.empty()) give_back_largest();
  }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (alignment > buffer_alignment) throw std::bad_alloc();
    if (bytes > largest_block) throw std::bad_alloc();
    const std::size_t wanted = size_class(bytes);
    const std::lock_guard lock(mutex_);
    const auto [block, block_bytes] = wanted < huge_page ? small_block(wanted) : large_block(wanted);
    statistics_.live += static_cast<std::int64_t>(block_bytes);
    statistics_.peak = std::max(statistics_.peak, statistics_.live);
    most_live_ = std::max(most_live_, statistics_.live);
    return block;
  }

  void do_deallocate(void* block, std::size_t bytes, std::size_t) override {
    const std::lock_guard lock(mutex_);
    std::size_t block_bytes = size_class(bytes);
    if (block_bytes < huge_page) {
      free_small_[block_bytes].push_back(block);
    } else {
      const auto found = live_large_.find(block);
      block_bytes = found->second;
      live_large_.erase(found);
      free_large_.emplace(block_bytes, block);
    }
    statistics_.live -= static_cast<std::int64_t>(block_bytes);
    statistics_.cached += static_cast<std::int64_t>(block_bytes);
  }

  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  struct Block {
    void* first;
    std::size_t bytes;
  };

  Block small_block(std::size_t bytes) {
    std::vector<void*>& blocks = free_small_[bytes];
    if (blocks.empty()) return {fresh_block(bytes), bytes};
    void* block = blocks.back();
    blocks.pop_back();
    statistics_.cached -= static_cast<std::int64_t>(bytes);
    return {block, bytes};
  }

  Block large_block(std::size_t bytes) {
    const auto found = free_large_.lower_bound(bytes);
    Block block{nullptr, bytes};
    if (found != free_large_.end() && found->first <= 2 * bytes) {
      block = {found->second, found->first};
      free_large_.erase(found);
      statistics_.cached -= static_cast<std::int64_t>(block.bytes);
    } else {
      make_room(static_cast<std::int64_t>(bytes));
      block.first = fresh_block(bytes);
    }
    live_large_.emplace(block.first, block.bytes);
    return block;
  }

  /// Before a fresh block: gives cached ones back until everything held is at most a quarter above the most that was
  /// ever live, so that memory stays bounded however sizes vary.
  void make_room(std::int64_t bytes) {
    const std::int64_t most = std::max(most_live_, statistics_.live + bytes);
    while (!free_large_.empty() && statistics_.live + statistics_.cached + bytes > most + most / 4) give_back_largest();
  }

  void give_back_largest() {
    const auto largest = std::prev(free_large_.end());
    give_back(largest->second, largest->first);
    free_large_.erase(largest);
  }

  void give_back(void* block, std::size_t bytes) {
    ::operator delete(block, std::align_val_t(alignment_of_block(bytes)));
    statistics_.cached -= static_cast<std::int64_t>(bytes);
  }

  static void* fresh_block(std::size_t bytes) {
    void* block = ::operator new(bytes, std::align_val_t(alignment_of_block(bytes)));
#ifdef __linux__
    if (bytes >= huge_page) madvise(block, bytes, MADV_HUGEPAGE);  // a hint: refused quietly where there are none
#endif
    return block;
  }

  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<void*>> free_small_;
  std::multimap<std::size_t, void*> free_large_;
  std::unordered_map<void*, std::size_t> live_large_;
  MemoryStatistics statistics_;
  std::int64_t most_live_ = 0;
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
