#include <lintel/tools/bench_limits.hpp>

#include <cstring>
#include <type_traits>
#include <vector>

#include <lintel/core/parallel.hpp>
#include <lintel/core/tensor.hpp>
#include <lintel/ops/gemm.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/tools/bench_timing.hpp>

namespace lintel::tools {
namespace {

constexpr std::int64_t elements = std::int64_t{64} << 20;
constexpr std::int64_t block = 1 << 16;
constexpr int rounds = 5;

/// The median speed of `work(begin, end)` over all elements, which moves so many bytes for each.
template <class Work>
double gigabytes_per_second(double bytes_per_element, Work&& work) {
  std::vector<double> speeds;
  for (int round = 0; round < rounds; ++round) {
    const double seconds = seconds_of([&] { parallel_blocks(elements, block, 1, work); });
    speeds.push_back(1e-9 * bytes_per_element * static_cast<double>(elements) / seconds);
  }
  return median(speeds);
}

/// The kernel that does nothing but multiply-adds, of what multiplies matrices of T.
template <class T>
auto multiply_adds() {
  if constexpr (std::is_same_v<T, bfloat16>) {
    return active_bfloat16_products().of_bfloat16.multiply_adds;
  } else {
    return active_kernels<T>().gemm.multiply_adds;
  }
}

}  // namespace

template <class T>
double multiply_add_gflops() {
  constexpr std::int64_t steps = std::is_same_v<T, bfloat16> ? 400000 : 2000000;  // some milliseconds each
  using Sum = gemm_sum_type<T>;
  const int team = threads();
  std::vector<Sum> results(static_cast<std::size_t>(team) * 64);  // a cache line for each
  std::vector<std::int64_t> counts(static_cast<std::size_t>(team));
  std::vector<double> speeds;
  for (int round = 0; round <= rounds; ++round) {
    const double seconds = seconds_of([&] {
      parallel_for(team, 1e9, [&](std::int64_t index) {
        const auto place = static_cast<std::size_t>(index);
        counts[place] = multiply_adds<T>()(steps, Sum(0.5), &results[place * 64]);
      });
    });
    double operations = 0;
    for (const std::int64_t count : counts) operations += 2 * static_cast<double>(count);
    if (round > 0) speeds.push_back(1e-9 * operations / seconds);  // the first wakes threads and wide registers
  }
  return median(speeds);
}

template double multiply_add_gflops<float>();
template double multiply_add_gflops<double>();
template double multiply_add_gflops<bfloat16>();

Bandwidth memory_bandwidth() {
  const Tensor first = ones({elements}), second = ones({elements}), third = ones({elements});
  const float *a = first.data<float>(), *b = second.data<float>();
  float* c = write<float>(third, "bench");
  std::vector<float> sums(static_cast<std::size_t>(elements / block));
  const Kernels<float>& kernels = active_kernels<float>();
  Bandwidth result{};
  result.read = gigabytes_per_second(4, [&](std::int64_t begin, std::int64_t end) {
    sums[static_cast<std::size_t>(begin / block)] = kernels.sum(a + begin, end - begin);
  });
  result.copy = gigabytes_per_second(8, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(c + begin, a + begin, static_cast<std::size_t>(end - begin) * sizeof(float));
  });
  result.triad = gigabytes_per_second(12, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) c[i] = a[i] + 3 * b[i];
  });
  return result;
}

}  // namespace lintel::tools
