// The team behind parallel loops, and what it must get along with: other threads, forks, limits.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <lintel/autograd/tape.hpp>
#include <lintel/core/cpu_limits.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/nn/feed_forward.hpp>
#include <lintel/ops/reduce.hpp>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "file_helpers.hpp"
#include "with_settings.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

/// Whether a loop over `tasks` tasks runs each once.
bool loop_is_whole(std::int64_t tasks) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
  parallel_for(tasks, 1e6, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
  for (const auto& count : runs) {
    if (count != 1) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a team grows and shrinks from loop to loop, and never has more threads than tasks") {
  for (const int count : {2, 7, 3, 1, 5}) {
    const WithThreads with(count);
    CHECK(loop_is_whole(100));
    CHECK(threads_used_last() == count);
    CHECK(loop_is_whole(3));
    CHECK(threads_used_last() == std::min(count, 3));
  }
}

TEST_CASE("a team that has fallen asleep is woken by the next loop") {
  const WithThreads seven(7);
  for (int i = 0; i < 20; ++i) {
    CHECK(loop_is_whole(50));
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
}

TEST_CASE("threads of the program that start loops at the same time all finish theirs") {
  const WithThreads three(3);
  std::atomic<int> whole = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 5; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) whole += loop_is_whole(20);
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(whole == 1000);
}

TEST_CASE("a limit holds for the thread that set it, while it lives, and the lowest of nested ones counts") {
  const WithThreads seven(7);
  {
    const ThreadLimit four(4);
    CHECK(threads() == 4);
    {
      const ThreadLimit two(2), six(6);
      CHECK(threads() == 2);
      CHECK(loop_is_whole(50));
      CHECK(threads_used_last() == 2);
    }
    CHECK(threads() == 4);
    std::thread([] { CHECK(threads() == 7); }).join();
  }
  CHECK(threads() == 7);
  CHECK_THROWS_WITH_AS(ThreadLimit(0), "ThreadLimit: count is 0, at least 1 wanted", Error);
}

TEST_CASE("threads of the program, each with a limit of one, compute tapes side by side to the same bits") {
  const WithThreads seven(7);
  const auto gradient_of = [] {
    Rng rng(1);
    const nn::FeedForward model(16, 32, rng);
    Tape tape(model);
    return tape.gradients(sum(model(normal({64, 16}, 0, 1, rng))))[model.up.weight];
  };
  const Tensor alone = gradient_of();
  std::vector<Tensor> found(4);
  std::vector<int> used(4);
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < found.size(); ++i) {
    callers.emplace_back([&, i] {
      const ThreadLimit one(1);
      for (int step = 0; step < 20; ++step) found[i] = gradient_of();
      parallel_for(100, 1e9, [](std::int64_t) {});
      used[i] = threads_used_last();
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(used[i] == 1);
    CHECK(std::equal(alone.values<float>().begin(), alone.values<float>().end(), found[i].values<float>().begin()));
  }
}

#ifdef __linux__

TEST_CASE("a process that was forked after a loop runs loops, and so does its parent") {
  const WithThreads four(4);
  REQUIRE(loop_is_whole(100));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60);  // a loop that waits for threads which are gone ends here
    _exit(loop_is_whole(100) && loop_is_whole(100) ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(loop_is_whole(100));
}

TEST_CASE("a team without work soon costs no time") {
  const WithThreads seven(7);
  REQUIRE(loop_is_whole(100));
  const std::clock_t before = std::clock();  // of all threads together
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < 0.1);
}

#endif

TEST_CASE("the quotas of the groups around a process limit its cores, in both versions of cgroups") {
  constexpr int none = std::numeric_limits<int>::max();
  const TemporaryFolder folder;
  const auto put = [&](const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  };
  const auto cores = [&](const std::string& membership) {
    put("membership", membership);
    return detail::cores_of_quota((folder.path() / "membership").string(), folder.path().string());
  };
  CHECK(cores("") == none);
  CHECK(cores("0::/a/b\n") == none);
  put("a/b/cpu.max", "max 100000\n");
  CHECK(cores("0::/a/b\n") == none);
  put("a/cpu.max", "350000 100000\n");
  CHECK(cores("0::/a/b\n") == 3);
  put("a/b/cpu.max", "50000 100000\n");
  CHECK(cores("0::/a/b\n") == 1);
  CHECK(cores("0::/a\n") == 3);
  CHECK(cores("0::/not/there\n") == none);
  put("cpu.max", "200000 100000\n");  // as a container sees its own group
  CHECK(cores("0::/not/there\n") == 2);

  put("cpu,cpuacct/job/cpu.cfs_quota_us", "400000\n");
  put("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  CHECK(cores("7:memory:/job\n4:cpu,cpuacct:/job\n") == 4);
  put("cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  CHECK(cores("4:cpu,cpuacct:/job\n") == none);
  CHECK(available_cores() >= 1);
}
