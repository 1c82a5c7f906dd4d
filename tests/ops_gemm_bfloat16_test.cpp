#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <lintel/core/bfloat16_unit.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/matmul_precision.hpp>
#include <lintel/core/memory.hpp>

#include "gemm_cases.hpp"

using namespace lintel;
using namespace gemm_cases;

namespace {

/// Calls `body` with every instruction set, and with every unit that multiplies bfloat16 beside AVX-512.
template <class Body>
void everywhere(Body&& body) {
  const Bfloat16Unit unit_before = active_bfloat16_unit();
  for (const Isa isa : available_isas()) {
    const WithIsa with(isa);
    for (const Bfloat16Unit unit : available_bfloat16_units()) {
      if (isa != Isa::avx512 && unit != Bfloat16Unit::float32) continue;
      set_active_bfloat16_unit(unit);
      CAPTURE(isa_name(isa));
      CAPTURE(bfloat16_unit_name(unit));
      body();
    }
  }
  set_active_bfloat16_unit(unit_before);
}

/// Operands are small integers, which bfloat16 holds exactly, and so are the sums in float32.
void check_everywhere(const Case& c) {
  CAPTURE(c.text());
  everywhere([&] {
    {
      const MatmulPrecision precision(DType::bfloat16);
      CHECK(mistakes_of<float>(c) == 0);
    }
    CHECK(mistakes_of<bfloat16>(c) == 0);
  });
}

std::vector<bfloat16> rounded(const std::vector<float>& numbers) {
  return std::vector<bfloat16>(numbers.begin(), numbers.end());
}

/// c (m, n) = a (m, k) b (k, n) of operands as they are stored.
template <class T>
std::vector<float> product_of(const std::vector<T>& a, const std::vector<T>& b, std::int64_t m, std::int64_t n,
                              std::int64_t k, bool transpose_a = false) {
  std::vector<float> c(static_cast<std::size_t>(m * n));
  gemm<T>(m, n, k, 1, {a.data(), transpose_a ? m : k, transpose_a}, {b.data(), n}, c.data(), n);
  return c;
}

}  // namespace

TEST_CASE("a bfloat16 product equals the triple loop for odd shapes, transpositions, strides and epilogues") {
  std::mt19937 random(3);
  const std::int64_t sizes[] = {1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 28, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100, 127};
  for (int repeat = 0; repeat < 300; ++repeat) check_everywhere(random_case(random, sizes));
}

TEST_CASE("every height and width of the bfloat16 tiles at the edge of C is right") {
  for (std::int64_t m = 1; m <= 34; ++m) {
    for (const std::int64_t n : {1, 8, 15, 16, 17, 31, 32, 33, 47, 49}) {
      check_everywhere({m, n, 9, m % 2 == 0, n % 2 == 0, m % 3});
    }
  }
}

TEST_CASE("a bfloat16 product equals the triple loop where it is cut into blocks, tasks and stretches of the depth") {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      check_everywhere({37, 41, 1031, transpose_a, transpose_b, 3, 2, true, false});    // several depth blocks
      check_everywhere({260, 70, 600, transpose_a, transpose_b, 1, 1, false, true});    // shared B
      check_everywhere({600, 32, 64, transpose_a, transpose_b, 0, 1, false, true});     // whole tiles with a bias
      check_everywhere({5, 2100, 130, transpose_a, transpose_b, 0, 1, true, false});    // several column blocks
      check_everywhere({23, 30, 5003, transpose_a, transpose_b, 2, -1, true, false});   // split depth
      check_everywhere({3, 620, 5000, transpose_a, transpose_b, 0, 0.5, false, true});  // split depth and columns
    }
  }
}

TEST_CASE("bfloat16 sizes of 0 give nothing, or zeros, or what was there") {
  for (const std::int64_t zero_axis : {0, 1, 2}) {
    std::int64_t sizes[] = {5, 6, 7};
    sizes[zero_axis] = 0;
    for (const bool accumulate : {false, true}) {
      check_everywhere({sizes[0], sizes[1], sizes[2], false, false, 1, 1, accumulate, false});
      check_everywhere({sizes[0], sizes[1], sizes[2], true, true, 1, 1, accumulate, !accumulate});
    }
  }
}

TEST_CASE("a bfloat16 product is that of the rounded operands, summed in float32") {
  constexpr std::int64_t m = 33, n = 65, k = 3000;
  const std::vector<float> a = normal_numbers(m * k, 1), b = normal_numbers(k * n, 2);
  const std::vector<bfloat16> a16 = rounded(a), b16 = rounded(b);
  everywhere([&] {
    const std::vector<float> stored = product_of(a16, b16, m, n, k);
    const MatmulPrecision precision(DType::bfloat16);
    const std::vector<float> converted = product_of(a, b, m, n, k);
    CHECK(std::memcmp(stored.data(), converted.data(), stored.size() * sizeof(float)) == 0);
    std::int64_t mistakes = 0;
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double exact = 0, magnitude = 0;
        for (std::int64_t p = 0; p < k; ++p) {
          const double product = value_of(a16[i * k + p]) * value_of(b16[p * n + j]);
          exact += product;
          magnitude += std::abs(product);
        }
        mistakes += !(std::abs(stored[i * n + j] - exact) < 1e-6 * magnitude);
      }
    }
    CHECK(mistakes == 0);
  });
}

TEST_CASE("bfloat16 factors are rounded to nearest, ties to even, and NaN and infinity pass") {
  // With a factor of 1 the product shows the rounded number.
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> numbers{
      1.0f + 0x1p-8f, 1.0f + 0x3p-8f, 1.0f + 0x1.01p-8f, -1.0f - 0x1p-9f, 0x1.fffffep127f, infinity,
      -infinity,      0x1p-126f,      0x1.ffp-126f,      3e-3f,           -0.0f,           nan};
  const auto count = static_cast<std::int64_t>(numbers.size());
  const std::vector<float> one{1};
  everywhere([&] {
    const MatmulPrecision precision(DType::bfloat16);
    const std::vector<float> column = product_of(numbers, one, count, 1, 1),
                             row = product_of(one, numbers, 1, count, 1);
    for (std::int64_t i = 0; i < count; ++i) {
      CAPTURE(numbers[i]);
      const auto wanted = static_cast<float>(bfloat16(numbers[i]));
      CHECK((std::isnan(wanted) ? std::isnan(column[i]) : column[i] == wanted));
      CHECK((std::isnan(wanted) ? std::isnan(row[i]) : row[i] == wanted));
    }
  });
}

TEST_CASE("a bfloat16 product has the same bits with 1, 2 and 7 threads") {
  struct Shape {
    std::int64_t m, n, k;
  };
  for (const Shape& shape : {Shape{500, 500, 300}, Shape{40, 3000, 100}, Shape{40, 50, 9000}}) {
    const std::int64_t m = shape.m, n = shape.n, k = shape.k;
    const std::vector<float> a = normal_numbers(m * k, 1), b = normal_numbers(k * n, 2);
    for (const bool transpose_a : {false, true}) {
      everywhere([&] {
        const auto product = [&](int thread_count) {
          const WithThreads with(thread_count);
          const MatmulPrecision precision(DType::bfloat16);
          return product_of(a, b, m, n, k, transpose_a);
        };
        const std::vector<float> one = product(1);
        for (const int thread_count : {2, 7}) {
          CHECK(std::memcmp(one.data(), product(thread_count).data(), one.size() * sizeof(float)) == 0);
        }
      });
    }
  }
}

TEST_CASE("a batch of bfloat16 products equals single products") {
  constexpr std::int64_t count = 6, m = 20, n = 24, k = 70;
  const std::vector<bfloat16> a = rounded(normal_numbers(count * k * m, 1)), b = rounded(normal_numbers(k * n, 2));
  everywhere([&] {
    std::vector<float> together(count * m * n);
    const GemmBatch batch{.outer = 2,
                          .inner = 3,
                          .a_outer = 3 * k * m,
                          .a_inner = k * m,
                          .c_outer = 3 * n,
                          .c_inner = n};  // the matrices of a row of C lie side by side
    const std::int64_t stride = 6 * n;
    gemm_batched<bfloat16>(batch, m, n, k, 1, {a.data(), m, true}, {b.data(), n}, together.data(), stride);
    std::int64_t mistakes = 0;
    std::vector<float> alone(m * n);
    for (std::int64_t index = 0; index < count; ++index) {
      gemm<bfloat16>(m, n, k, 1, {a.data() + index * k * m, m, true}, {b.data(), n}, alone.data(), n);
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          mistakes += together[i * stride + index * n + j] != alone[i * n + j];
        }
      }
    }
    CHECK(mistakes == 0);
  });
}

TEST_CASE("a right operand that is packed in bfloat16 stays so") {
  constexpr std::int64_t m = 300, n = 70, k = 1100;
  const std::vector<float> a = normal_numbers(m * k, 1), b = normal_numbers(k * n, 2);
  everywhere([&] {
    std::vector<float> at_once, packed_once(m * n);
    const auto packed = [&] {
      const MatmulPrecision precision(DType::bfloat16);
      at_once = product_of(a, b, m, n, k);
      return PackedMatrix<float>(k, n, {b.data(), n});
    }();
    CHECK(packed.precision() == DType::bfloat16);
    gemm<float>(m, 1, {a.data(), k}, packed, packed_once.data(), n);
    for (std::int64_t i = 0; i < m * n; ++i) REQUIRE(packed_once[i] == doctest::Approx(at_once[i]).epsilon(1e-4));
  });
}

TEST_CASE("the precision of products holds for the thread that asks and the tasks it starts") {
  const auto everyone_has = [](DType type) {
    const WithThreads with(7);
    std::vector<int> right(64);
    parallel_for(64, 1e6, [&](std::int64_t i) { right[i] = matmul_precision() == type; });
    return std::count(right.begin(), right.end(), 1) == 64;
  };
  CHECK(everyone_has(DType::float32));
  {
    const MatmulPrecision outer(DType::bfloat16);
    CHECK(everyone_has(DType::bfloat16));
    const MatmulPrecision inner(DType::float32);
    CHECK(everyone_has(DType::float32));
  }
  CHECK(everyone_has(DType::float32));
  CHECK_THROWS_WITH_AS(MatmulPrecision{DType::float64}, "matmul_precision: is float32 or bfloat16, got float64", Error);
}

TEST_CASE("a unit that is not there is an error that lists those that are") {
  if (available_bfloat16_units().size() == 3) return;
  CHECK_THROWS_AS(set_active_bfloat16_unit(Bfloat16Unit::amx_bf16), Error);
}

TEST_CASE("working memory of bfloat16 products is given back") {
  const std::vector<float> a = normal_numbers(300 * 5000, 1);
  const std::vector<bfloat16> a16 = rounded(a);
  std::vector<float> c(300 * 300);
  everywhere([&] {
    const std::int64_t before = memory_statistics().live;
    const MatmulPrecision precision(DType::bfloat16);
    gemm<float>(300, 300, 5000, 1, {a.data(), 5000}, {a.data(), 5000, true}, c.data(), 300);
    gemm<bfloat16>(30, 30, 5000, 1, {a16.data(), 5000}, {a16.data(), 5000, true}, c.data(), 300);
    CHECK(memory_statistics().live == before);
  });
}

TEST_CASE("a bfloat16 product of impossible sizes is an error that says what is wrong") {
  const bfloat16 x[16] = {};
  float c[16] = {};
  const GemmOperand<bfloat16> matrix{x, 4};
  CHECK_THROWS_WITH_AS(gemm<bfloat16>(-1, 2, 2, 1, matrix, matrix, c, 4), "gemm: m is -1, at least 0 wanted", Error);
  CHECK_THROWS_WITH_AS(gemm<bfloat16>(2, 4, 2, 1, matrix, matrix, c, 3),
                       "gemm: rows of c have 4 elements, but its leading dimension is 3", Error);
}
