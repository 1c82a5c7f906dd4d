#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <lintel/core/error.hpp>
#include <lintel/core/memory.hpp>

#include "gemm_cases.hpp"

using namespace lintel;
using namespace gemm_cases;

namespace {

void check_everywhere(const Case& c) {
  for (const Isa isa : available_isas()) {
    const WithIsa with(isa);
    CAPTURE(isa_name(isa));
    CAPTURE(c.text());
    CHECK(mistakes_of<float>(c) == 0);
    CHECK(mistakes_of<double>(c) == 0);
  }
}

}  // namespace

TEST_CASE("a product equals the triple loop for odd shapes, every transposition, leading dimension and epilogue") {
  std::mt19937 random(3);
  const std::int64_t sizes[] = {1,  2,  3,  4,  5,  6,  7,  8,  12, 13, 14,  15,
                                16, 17, 28, 29, 31, 32, 33, 48, 63, 65, 100, 127};
  for (int repeat = 0; repeat < 300; ++repeat) check_everywhere(random_case(random, sizes));
}

TEST_CASE("every height and width of the tiles at the edge of C is right") {
  for (std::int64_t m = 1; m <= 30; ++m) {
    for (const std::int64_t n : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40}) {
      check_everywhere({m, n, 9, m % 2 == 0, n % 2 == 0, m % 3});
    }
  }
}

TEST_CASE("a product equals the triple loop where it is cut into blocks, tasks and stretches of the inner dimension") {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      check_everywhere({37, 41, 1031, transpose_a, transpose_b, 3, 2, true, false});    // several depth blocks
      check_everywhere({260, 70, 600, transpose_a, transpose_b, 1, 1, false, true});    // shared B
      check_everywhere({5, 2100, 130, transpose_a, transpose_b, 0, 1, true, false});    // several column blocks
      check_everywhere({23, 30, 5003, transpose_a, transpose_b, 2, -1, true, false});   // split depth
      check_everywhere({3, 620, 5000, transpose_a, transpose_b, 0, 0.5, false, true});  // split depth and columns
    }
  }
}

TEST_CASE("a product whose shared B is packed in several parts equals the triple loop") {
  CHECK(mistakes_of<double>({120, 1100, 1100, false, false, 0, 1, false, true}) == 0);
  CHECK(mistakes_of<double>({120, 1100, 1100, true, true, 5, 1, true, false}) == 0);
}

TEST_CASE("sizes of 0 give nothing, or zeros, or what was there") {
  for (const std::int64_t zero_axis : {0, 1, 2}) {
    std::int64_t sizes[] = {5, 6, 7};
    sizes[zero_axis] = 0;
    for (const bool accumulate : {false, true}) {
      check_everywhere({sizes[0], sizes[1], sizes[2], false, false, 1, 1, accumulate, false});
      check_everywhere({sizes[0], sizes[1], sizes[2], true, true, 1, 1, accumulate, !accumulate});
    }
  }
}

TEST_CASE("a batch reaches the heads of (batch, length, heads, head_dim) where they lie") {
  constexpr std::int64_t batch = 2, length = 37, heads = 3, dim = 21;
  std::mt19937 random(5);
  for (const Isa isa : available_isas()) {
    const WithIsa with(isa);
    CAPTURE(isa_name(isa));
    Matrix<float> q(batch * length, heads * dim, 0), k(batch * length, heads * dim, 0);
    q.fill(random);
    k.fill(random);
    // scores (batch, heads, length, length) = q kᵀ for every head
    std::vector<float> scores(batch * heads * length * length);
    const GemmBatch to_scores{.outer = batch,
                              .inner = heads,
                              .a_outer = length * heads * dim,
                              .a_inner = dim,
                              .b_outer = length * heads * dim,
                              .b_inner = dim,
                              .c_outer = heads * length * length,
                              .c_inner = length * length};
    gemm_batched<float>(to_scores, length, length, dim, 1, {q.data.data(), heads * dim},
                        {k.data.data(), heads * dim, true}, scores.data(), length);
    // result (batch, length, heads, dim) = scores q
    Matrix<float> result(batch * length, heads * dim, 0);
    const GemmBatch to_result{.outer = batch,
                              .inner = heads,
                              .a_outer = heads * length * length,
                              .a_inner = length * length,
                              .b_outer = length * heads * dim,
                              .b_inner = dim,
                              .c_outer = length * heads * dim,
                              .c_inner = dim};
    gemm_batched<float>(to_result, length, dim, length, 1, {scores.data(), length}, {q.data.data(), heads * dim},
                        result.data.data(), heads * dim);

    std::int64_t mistakes = 0;
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t i = 0; i < length; ++i) {
          std::vector<double> row(dim);
          for (std::int64_t j = 0; j < length; ++j) {
            double score = 0;
            for (std::int64_t d = 0; d < dim; ++d) {
              score += q.at(b * length + i, h * dim + d) * k.at(b * length + j, h * dim + d);
            }
            mistakes += scores[((b * heads + h) * length + i) * length + j] != static_cast<float>(score);
            for (std::int64_t d = 0; d < dim; ++d) row[d] += score * q.at(b * length + j, h * dim + d);
          }
          for (std::int64_t d = 0; d < dim; ++d) mistakes += result.at(b * length + i, h * dim + d) != float(row[d]);
        }
      }
    }
    CHECK(mistakes == 0);
  }
}

TEST_CASE("a batch of products that are split along the inner dimension equals single products") {
  constexpr std::int64_t count = 3, m = 20, n = 24, k = 6000;
  const std::vector<float> a = normal_numbers(count * k * m, 1), b = normal_numbers(k * n, 2);
  std::vector<float> together(count * m * n), alone(m * n);
  gemm_batched<float>({.outer = count, .a_outer = k * m, .c_outer = m * n}, m, n, k, 1, {a.data(), m, true},
                      {b.data(), n}, together.data(), n);
  for (std::int64_t i = 0; i < count; ++i) {
    gemm<float>(m, n, k, 1, {a.data() + i * k * m, m, true}, {b.data(), n}, alone.data(), n);
    for (std::int64_t j = 0; j < m * n; ++j) CHECK(together[i * m * n + j] == doctest::Approx(alone[j]).epsilon(1e-4));
  }
}

TEST_CASE("NaN and infinity propagate as in IEEE arithmetic, and C is not read where nothing is added to it") {
  constexpr std::int64_t m = 19, n = 37, k = 40;
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const Isa isa : available_isas()) {
    const WithIsa with(isa);
    CAPTURE(isa_name(isa));
    std::vector<float> a(m * k, 1), b(k * n, 1), c(m * n, nan);
    a[3 * k + 7] = 0;  // meets the infinity below: 0 * infinity
    b[7 * n + 36] = infinity;
    a[18 * k + 39] = nan;
    gemm<float>(m, n, k, 1, {a.data(), k}, {b.data(), n}, c.data(), n);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        const float number = c[i * n + j];
        if (i == 18 || (i == 3 && j == 36)) {
          CHECK(std::isnan(number));
        } else if (j == 36) {
          CHECK(number == infinity);
        } else {
          CHECK(number == (i == 3 ? k - 1 : k));
        }
      }
    }
    std::fill(a.begin(), a.end(), 0.0f);
    b[7 * n + 36] = nan;
    gemm<float>(m, n, k, 0, {a.data(), k}, {b.data(), n}, c.data(), n);
    CHECK(std::isnan(c[36]));
    CHECK(c[35] == 0);
  }
}

TEST_CASE("rounding errors stay within the bound of the sum's length") {
  constexpr std::int64_t m = 33, n = 65, k = 3000;
  const std::vector<float> a = normal_numbers(m * k, 1), b = normal_numbers(k * n, 2);
  for (const Isa isa : available_isas()) {
    const WithIsa with(isa);
    CAPTURE(isa_name(isa));
    std::vector<float> c(m * n);
    gemm<float>(m, n, k, 1, {a.data(), k}, {b.data(), n}, c.data(), n);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double exact = 0, magnitude = 0;
        for (std::int64_t p = 0; p < k; ++p) {
          const double product = static_cast<double>(a[i * k + p]) * static_cast<double>(b[p * n + j]);
          exact += product;
          magnitude += std::abs(product);
        }
        // Errors are random, so far below the bound of k roundings.
        CHECK(std::abs(c[i * n + j] - exact) < 1e-6 * magnitude);
      }
    }
  }
}

TEST_CASE("a product has the same bits with 1, 2 and 7 threads") {
  struct Shape {
    std::int64_t batch, m, n, k;
  };
  const Shape shapes[] = {
      {1, 500, 500, 300}, {1, 40, 3000, 100}, {1, 40, 50, 9000}, {12, 130, 70, 64}, {3, 30, 40, 9000}};
  for (const Shape& shape : shapes) {
    const auto [batch, m, n, k] = shape;
    const std::vector<float> a = normal_numbers(batch * m * k, 1), b = normal_numbers(batch * k * n, 2);
    const auto product = [&](int thread_count) {
      const WithThreads with(thread_count);
      std::vector<float> c(static_cast<std::size_t>(batch * m * n));
      gemm_batched<float>({.outer = batch, .a_outer = m * k, .b_outer = k * n, .c_outer = m * n}, m, n, k, 0.3f,
                          {a.data(), m, true}, {b.data(), n}, c.data(), n);
      return c;
    };
    const std::vector<float> one = product(1);
    for (const int thread_count : {2, 7}) {
      const std::vector<float> several = product(thread_count);
      if (&shape == &shapes[0]) CHECK(threads_used_last() == thread_count);
      CHECK(std::memcmp(one.data(), several.data(), one.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("a packed B gives the bits of the same B where it lies") {
  for (const Isa isa : available_isas()) {
    const WithIsa with(isa);
    CAPTURE(isa_name(isa));
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{300, 100, 700}, {7, 64, 64}, {1, 1, 1}, {70, 513, 40}}) {
      const std::vector<float> a = normal_numbers(m * k, 1), b = normal_numbers(k * n, 2);
      for (const bool transposed : {false, true}) {
        const GemmOperand<float> right{b.data(), transposed ? k : n, transposed};
        std::vector<float> expected(static_cast<std::size_t>(m * n), 2), c = expected;
        gemm<float>(m, n, k, 0.5f, {a.data(), k}, right, expected.data(), n, {.accumulate = true});
        gemm<float>(m, 0.5f, {a.data(), k}, PackedMatrix<float>(k, n, right), c.data(), n, {.accumulate = true});
        CHECK(c == expected);
      }
    }
  }
  const PackedMatrix<float> nothing(0, 3, {nullptr, 3});
  const float bias[] = {1, 2, 3};
  float c[3];
  gemm<float>(1, 1, {nullptr, 0}, nothing, c, 3, {.bias = bias});
  CHECK(c[2] == 3);
}

TEST_CASE("working memory is given back") {
  const std::vector<float> a = normal_numbers(300 * 5000, 1);
  std::vector<float> c(300 * 300);
  const std::int64_t before = memory_statistics().live;
  gemm<float>(300, 300, 5000, 1, {a.data(), 5000}, {a.data(), 5000, true}, c.data(), 300);
  gemm<float>(30, 30, 5000, 1, {a.data(), 5000}, {a.data(), 5000, true}, c.data(), 300);
  CHECK(memory_statistics().live == before);
}

TEST_CASE("a product of impossible sizes is an error that says what is wrong") {
  float x[16] = {};
  const GemmOperand<float> matrix{x, 4};
  CHECK_THROWS_WITH_AS(gemm<float>(-1, 2, 2, 1, matrix, matrix, x, 4), "gemm: m is -1, at least 0 wanted", Error);
  CHECK_THROWS_WITH_AS(gemm<float>(2, 5, 2, 1, matrix, matrix, x, 5),
                       "gemm: rows of b have 5 elements, but its leading dimension is 4", Error);
  CHECK_THROWS_WITH_AS(gemm<float>(2, 2, 2, 1, matrix, matrix, x, 2, {.accumulate = true, .bias = x}),
                       "gemm: either accumulates or adds a bias, not both", Error);
}
