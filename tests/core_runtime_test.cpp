// Memory, threads and random numbers.
#include <doctest/doctest.h>

#include <atomic>
#include <lintel/lintel.hpp>
#include <set>

#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

class CountingResource : public std::pmr::memory_resource {
 public:
  int allocations = 0, deallocations = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++allocations;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    ++deallocations;
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

TEST_CASE("philox gives the published vectors") {
  // Known answers of Random123, kat_vectors, philox4x32-10: counter words, key words, expected words.
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox(0, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox(~0ull, ~0ull, ~0ull) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox(0x299f31d0a4093822ull, 0x85a308d3243f6a88ull, 0x0370734413198a2eull) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a generator is a pure function of its seed and a copy continues it") {
  Rng first(5), second(5), other(6);
  CHECK(first.next() == second.next());
  CHECK(first.next() != other.next());
  Rng copy = first;
  CHECK(copy.next() == first.next());
  CHECK(derive_key(5, 0) != derive_key(5, 1));
  CHECK_THROWS_AS((void)first.below(0), Error);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<std::size_t>(first.below(7))];
  for (const int count : counts) CHECK(count == doctest::Approx(10000).epsilon(0.05));
}

TEST_CASE("a freed buffer is used again and counted") {
  release_cached_memory();
  const MemoryStatistics before = memory_statistics();
  const void* first = nullptr;
  {
    const Tensor x = empty({1 << 20});
    first = x.data<float>();
    CHECK(memory_statistics().live - before.live >= 4 << 20);
  }
  CHECK(memory_statistics().live == before.live);
  CHECK(memory_statistics().cached >= 4 << 20);
  const Tensor slightly_smaller = empty({(1 << 20) - 100});
  CHECK(static_cast<const void*>(slightly_smaller.data<float>()) == first);
  reset_peak_memory();
  const std::int64_t live = memory_statistics().live;
  { const Tensor temporary = empty({1 << 20}); }
  CHECK(memory_statistics().peak >= live + (4 << 20));
  release_cached_memory();
  CHECK(memory_statistics().cached == 0);
}

TEST_CASE("buffers of ever new sizes do not pile up in the cache") {
  release_cached_memory();
  reset_peak_memory();
  const std::int64_t before = memory_statistics().live;
  for (std::int64_t size = 1 << 20; size < 64 << 20; size += size / 5) {
    const Tensor first = empty({size}), second = empty({size / 3});
  }
  const MemoryStatistics after = memory_statistics();
  CHECK(after.live == before);
  CHECK(after.cached <= after.peak + after.peak / 4);
  for (int repetition = 0; repetition < 3; ++repetition) {  // and going down again needs nothing new
    for (std::int64_t size = 50 << 20; size > 40 << 20; size -= size / 50) const Tensor smaller = empty({size});
  }
  CHECK(memory_statistics().cached == after.cached);
  release_cached_memory();
  CHECK(memory_statistics().cached == 0);
}

TEST_CASE("an embedder's own memory resource serves and gets everything back") {
  CountingResource resource;
  set_tensor_memory(&resource);
  { const Tensor x = zeros({100}); }
  set_tensor_memory(nullptr);
  CHECK(resource.allocations == 1);
  CHECK(resource.deallocations == 1);
}

TEST_CASE("a parallel loop runs every task once, on as many threads as were asked for") {
  const WithThreads seven(7);
  std::vector<std::atomic<int>> runs(1000);
  parallel_for(1000, 1e6, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
  for (const auto& count : runs) CHECK(count == 1);
  CHECK(threads_used_last() == 7);
}

TEST_CASE("a loop that is not worth it stays on one thread") {
  const WithThreads seven(7);
  parallel_for(100, 1, [](std::int64_t) {});
  CHECK(threads_used_last() == 1);
}

TEST_CASE("a short last block counts for what it is where threads are weighed against work") {
  const WithThreads seven(7);
  const auto nothing = [](std::int64_t, std::int64_t) {};
  parallel_blocks(256 + 1, 256, 400, nothing);
  CHECK(threads_used_last() == 1);
  parallel_blocks(8 * 256, 256, 400, nothing);
  CHECK(threads_used_last() > 1);
}

TEST_CASE("a nested loop runs serially inside its task") {
  const WithThreads two(2);
  std::atomic<int> total = 0;
  parallel_for(4, 1e9, [&](std::int64_t) { parallel_for(5, 1e9, [&](std::int64_t) { ++total; }); });
  CHECK(total == 20);
}

TEST_CASE("the exception of the lowest task leaves a parallel loop after all tasks ran") {
  const WithThreads seven(7);
  std::atomic<int> ran = 0;
  try {
    parallel_for(100, 1e9, [&](std::int64_t i) {
      ++ran;
      if (i % 10 == 3) fail("task ", i);
    });
    FAIL("no exception arrived");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "task 3");
  }
  CHECK(ran == 100);
}

TEST_CASE("blocks cover a range without overlap") {
  std::vector<std::atomic<int>> touched(1003);
  parallel_blocks(1003, 100, 1e9, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) ++touched[static_cast<std::size_t>(i)];
  });
  for (const auto& count : touched) CHECK(count == 1);
  CHECK_THROWS_AS(set_threads(0), Error);
}
