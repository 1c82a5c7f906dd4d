// Matrix products: how fast, and what share of the speed of multiply-adds alone.
//
// The limit is measured in between products, on as many threads: absolute speeds change with the clock and with what
// else the machine does, their ratio much less. One thread is timed by the CPU time of the thread, several by the
// clock. Run `gemm_bench --benchmark_filter=avx512.*threads:1` for a part of it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include <lintel/core/isa.hpp>
#include <lintel/core/memory.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/gemm.hpp>
#include <lintel/ops/kernel_table.hpp>

using namespace lintel;

namespace {

struct Shape {
  std::int64_t batch, m, n, k;
  bool transpose_a, transpose_b;
};

const Shape shapes[] = {
    {1, 1024, 1024, 1024, false, false}, {1, 2048, 2048, 2048, false, false}, {1, 16000, 256, 256, false, true},
    {1, 16000, 1024, 256, false, true},  {1, 16000, 256, 1024, false, true},  {1, 16000, 256, 1024, false, false},
    {1, 256, 1024, 16000, true, false},  {1, 256, 256, 16000, true, false},   {64, 4000, 64, 64, false, false},
    {64, 64, 64, 4000, true, false},     {64, 128, 128, 64, false, true},     {64, 128, 64, 128, false, false},
    {16, 1000, 1000, 64, false, true},   {1, 64, 32, 16, false, true},        {1, 64, 4, 16, false, true},
    {1, 1, 1024, 256, false, true},
};

double seconds(int thread_count) {
#ifdef CLOCK_THREAD_CPUTIME_ID
  if (thread_count == 1) {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
#endif
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Uninitialised memory as tensors have it.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t count) : bytes_(static_cast<std::size_t>(count) * sizeof(T)) {
    data_ = static_cast<T*>(tensor_memory().allocate(bytes_, buffer_alignment));
    for (std::int64_t i = 0; i < count; ++i) data_[i] = static_cast<T>(i % 7 - 3);
  }
  ~Buffer() { tensor_memory().deallocate(data_, bytes_, buffer_alignment); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

/// Multiply-adds per second of all threads together.
template <class T>
double peak(int thread_count) {
  std::vector<T> results(static_cast<std::size_t>(thread_count));
  std::int64_t count = 0;
  const double begin = seconds(thread_count);
  parallel_for(thread_count, 1e9, [&](std::int64_t index) {
    const std::int64_t done = active_kernels<T>().gemm.multiply_adds(60000, T(0.5), &results[index]);
    if (index == 0) count = done;
  });
  const double elapsed = seconds(thread_count) - begin;
  benchmark::DoNotOptimize(results.data());
  return static_cast<double>(count) * thread_count / elapsed;
}

double median(std::vector<double>& numbers) {
  std::nth_element(numbers.begin(), numbers.begin() + numbers.size() / 2, numbers.end());
  return numbers[numbers.size() / 2];
}

template <class T>
void run(benchmark::State& state, const Shape& shape, Isa isa, int thread_count) {
  set_active_isa(isa);
  set_threads(thread_count);
  const auto [batch, m, n, k, transpose_a, transpose_b] = shape;
  const Buffer<T> a(batch * m * k), b(batch * k * n), c(batch * m * n);
  const auto product = [&] {
    gemm_batched<T>({.outer = batch, .a_outer = m * k, .b_outer = k * n, .c_outer = m * n}, m, n, k, 1,
                    {a.data(), transpose_a ? m : k, transpose_a}, {b.data(), transpose_b ? k : n, transpose_b},
                    c.data(), n);
  };
  const double multiply_adds = static_cast<double>(batch * m * n) * static_cast<double>(k);
  const auto calls = static_cast<std::int64_t>(std::clamp(5e7 / multiply_adds, 1.0, 10000.0));
  std::vector<double> speeds, shares;
  product();
  for (auto _ : state) {
    const double before = peak<T>(thread_count);
    product();  // brings the operands back into the caches that a loop over products would find them in
    const double begin = seconds(thread_count);
    for (std::int64_t call = 0; call < calls; ++call) product();
    const double elapsed = (seconds(thread_count) - begin) / static_cast<double>(calls);
    const double after = peak<T>(thread_count);
    state.SetIterationTime(elapsed);
    speeds.push_back(2e-9 * multiply_adds / elapsed);
    shares.push_back(multiply_adds / elapsed / (0.5 * (before + after)));
  }
  state.counters["GFLOP/s"] = median(speeds);
  state.counters["share_of_peak"] = median(shares);
}

template <class T>
void register_products(const char* type) {
  for (const Isa isa : available_isas()) {
    for (const Shape& shape : shapes) {
      for (const int thread_count : {1, 2}) {
        std::string name = std::string("gemm<") + type + ">/" + isa_name(isa) + "/" + std::to_string(shape.batch) + "x";
        name += "(" + std::to_string(shape.m) + "," + std::to_string(shape.n) + "," + std::to_string(shape.k) + ")";
        name += std::string(shape.transpose_a ? "T" : "N") + (shape.transpose_b ? "T" : "N");
        name += "/threads:" + std::to_string(thread_count);
        benchmark::RegisterBenchmark(name.c_str(),
                                     [=](benchmark::State& state) { run<T>(state, shape, isa, thread_count); })
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

const bool registered = (register_products<float>("float"), register_products<double>("double"), true);

}  // namespace
