// Cases of matrix products, and what the triple loop makes of them.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#ifdef __unix__
#include <sys/mman.h>
#include <unistd.h>
#endif

#include <lintel/ops/gemm.hpp>

#include "with_settings.hpp"

namespace gemm_cases {

using namespace lintel;
using namespace lintel_test;

/// An array whose last element is followed by a page that may not be touched (where the system has such pages).
template <class T>
class GuardedArray {
 public:
  explicit GuardedArray(std::int64_t size) : size_(size) {
#ifdef __unix__
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
    const std::size_t pages = (bytes + page - 1) / page * page;
    mapped_bytes_ = pages + page;
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(mapped_ != MAP_FAILED);
    REQUIRE(mprotect(static_cast<char*>(mapped_) + pages, page, PROT_NONE) == 0);
    data_ = reinterpret_cast<T*>(static_cast<char*>(mapped_) + pages - bytes);
#else
    data_ = new T[static_cast<std::size_t>(size)];
#endif
  }
  ~GuardedArray() {
#ifdef __unix__
    munmap(mapped_, mapped_bytes_);
#else
    delete[] data_;
#endif
  }
  GuardedArray(const GuardedArray&) = delete;
  GuardedArray& operator=(const GuardedArray&) = delete;

  T* data() const { return data_; }
  std::int64_t size() const { return size_; }
  T& operator[](std::int64_t i) const { return data_[i]; }

 private:
  std::int64_t size_;
  T* data_;
#ifdef __unix__
  void* mapped_;
  std::size_t mapped_bytes_;
#endif
};

inline constexpr double untouched = 12345;

struct Case {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  std::int64_t extra = 0;  // of every leading dimension, above the length of a row
  double alpha = 1;
  bool accumulate = false, bias = false;

  std::string text() const {
    return std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) + (transpose_a ? " T" : " N") +
           (transpose_b ? "T" : "N") + " extra " + std::to_string(extra) + (accumulate ? " accumulate" : "") +
           (bias ? " bias" : "");
  }
};

/// Sizes, layout and epilogue at random.
inline Case random_case(std::mt19937& random, std::span<const std::int64_t> sizes) {
  const auto size = [&] { return sizes[random() % sizes.size()]; };
  Case c{size(), size(), size()};
  c.transpose_a = random() % 2 == 0;
  c.transpose_b = random() % 2 == 0;
  c.extra = random() % 2 == 0 ? 0 : size();
  c.alpha = random() % 2 == 0 ? 1 : -0.5;
  c.accumulate = random() % 3 == 0;
  c.bias = !c.accumulate && random() % 2 == 0;
  return c;
}

template <class T>
T number_of(double value) {
  return static_cast<T>(static_cast<gemm_sum_type<T>>(value));
}

template <class T>
double value_of(T number) {
  return static_cast<double>(static_cast<gemm_sum_type<T>>(number));
}

/// A stored matrix with guarded end: the last row has no padding.
template <class T>
struct Matrix {
  std::int64_t rows, columns, stride;
  GuardedArray<T> data;

  Matrix(std::int64_t row_count, std::int64_t column_count, std::int64_t extra)
      : rows(row_count),
        columns(column_count),
        stride(column_count + extra),
        data(row_count == 0 ? 0 : (row_count - 1) * stride + column_count) {
    for (std::int64_t i = 0; i < data.size(); ++i) data[i] = number_of<T>(untouched);
  }

  /// Small integers: sums of their products are exact in any order, so results can be compared for equality.
  void fill(std::mt19937& random) {
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) at(i, j) = number_of<T>(static_cast<int>(random() % 7) - 3);
    }
  }
  T& at(std::int64_t i, std::int64_t j) const { return data[i * stride + j]; }
};

/// The number of elements that differ from the triple loop, and of those between rows that were written to.
template <class T>
std::int64_t mistakes_of(const Case& c) {
  std::mt19937 random(7);
  Matrix<T> a(c.transpose_a ? c.k : c.m, c.transpose_a ? c.m : c.k, c.extra);
  Matrix<T> b(c.transpose_b ? c.n : c.k, c.transpose_b ? c.k : c.n, c.extra);
  using Sum = gemm_sum_type<T>;
  Matrix<Sum> result(c.m, c.n, c.extra), bias(1, c.n, 0);
  a.fill(random);
  b.fill(random);
  bias.fill(random);
  if (c.accumulate) result.fill(random);

  std::vector<double> expected(static_cast<std::size_t>(c.m * c.n));
  for (std::int64_t i = 0; i < c.m; ++i) {
    double* row = expected.data() + i * c.n;
    for (std::int64_t p = 0; p < c.k; ++p) {
      const double left = value_of(c.transpose_a ? a.at(p, i) : a.at(i, p));
      for (std::int64_t j = 0; j < c.n; ++j) {
        row[j] += left * value_of(c.transpose_b ? b.at(j, p) : b.at(p, j));
      }
    }
    for (std::int64_t j = 0; j < c.n; ++j) {
      row[j] *= c.alpha;
      if (c.accumulate) row[j] += value_of(result.at(i, j));
      if (c.bias) row[j] += value_of(bias.at(0, j));
    }
  }
  const auto alpha = static_cast<Sum>(c.alpha);
  const GemmOperand<T> left{a.data.data(), a.stride, c.transpose_a}, right{b.data.data(), b.stride, c.transpose_b};
  const GemmEpilogue<Sum> epilogue{c.accumulate, c.bias ? bias.data.data() : nullptr};
  gemm_batched<T>({}, c.m, c.n, c.k, alpha, left, right, result.data.data(), result.stride, epilogue);

  std::int64_t mistakes = 0;
  for (std::int64_t i = 0; i < c.m; ++i) {
    for (std::int64_t j = 0; j < c.n; ++j) mistakes += !(result.at(i, j) == number_of<Sum>(expected[i * c.n + j]));
    for (std::int64_t j = c.n; i + 1 < c.m && j < result.stride; ++j)
      mistakes += !(result.at(i, j) == number_of<Sum>(untouched));
  }
  return mistakes;
}

inline std::vector<float> normal_numbers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& number : numbers) number = normal(random);
  return numbers;
}

}  // namespace gemm_cases
