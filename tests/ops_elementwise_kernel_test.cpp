// The kernels of ops/elementwise.kernel.hpp that move, combine and sum numbers, for every available instruction set.
// What the functions of one argument compute is in core_simd_math_test.cpp.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <lintel/core/isa.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <string>
#include <vector>

namespace lintel {

namespace {

/// Calls check(kernels) for both types of every available instruction set.
template <class Check>
void for_every_table(Check check) {
  const Isa before = active_isa();
  for (const Isa isa : available_isas()) {
    const std::string set = isa_name(isa);
    CAPTURE(set);
    set_active_isa(isa);
    check(active_kernels<float>());
    check(active_kernels<double>());
  }
  set_active_isa(before);
}

constexpr std::int64_t longest = 3 * 16 + 1;

/// Numbers in [−2, 2] without a pattern, each a multiple of 1/64, so that products and short sums are exact.
template <class T>
std::vector<T> numbers(std::int64_t count, std::uint32_t seed) {
  std::vector<T> result;
  for (std::int64_t i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    result.push_back(static_cast<T>(static_cast<int>(seed >> 24) - 128) / 64);
  }
  return result;
}

/// `values` behind one element of offset, so that no register is loaded from an aligned address, and with one more
/// element at the end that no kernel may touch.
template <class T>
struct Guarded {
  std::vector<T> memory;
  std::int64_t count;

  explicit Guarded(const std::vector<T>& values) : memory(values.size() + 2, T(77)), count(std::ssize(values)) {
    for (std::size_t i = 0; i < values.size(); ++i) memory[i + 1] = values[i];
  }
  T* data() { return memory.data() + 1; }
  T operator[](std::int64_t i) const { return memory[static_cast<std::size_t>(i + 1)]; }
  bool is_intact() const { return memory.front() == 77 && memory.back() == 77; }
};

/// A function of two arguments in scalar form.
template <class T>
struct BinaryReference {
  Binary op;
  T (*f)(T, T);
  T (*da)(T, T);
  T (*db)(T, T);
};

template <class T>
std::vector<BinaryReference<T>> binary_references() {
  constexpr auto greater = [](T a, T b) { return a > b ? T(1) : a == b ? T(0.5) : T(0); };
  constexpr auto less = [](T a, T b) { return a < b ? T(1) : a == b ? T(0.5) : T(0); };
  return {{Binary::add, [](T a, T b) { return a + b; }, [](T, T) { return T(1); }, [](T, T) { return T(1); }},
          {Binary::sub, [](T a, T b) { return a - b; }, [](T, T) { return T(1); }, [](T, T) { return T(-1); }},
          {Binary::mul, [](T a, T b) { return a * b; }, [](T, T b) { return b; }, [](T a, T) { return a; }},
          {Binary::div, [](T a, T b) { return a / b; }, [](T, T b) { return 1 / b; },
           [](T a, T b) { return -(a / b) / b; }},
          {Binary::maximum, [](T a, T b) { return a < b ? b : a; }, greater, less},
          {Binary::minimum, [](T a, T b) { return a < b ? a : b; }, less, greater}};
}

template <class T>
bool is_near(T a, T b) {
  return a == b || std::abs(a - b) <= 16 * std::numeric_limits<T>::epsilon() * (1 + std::abs(b));
}

/// One combination of steps and length, forwards and backwards.
template <class T>
void check_binary(const Kernels<T>& kernels, const BinaryReference<T>& reference, std::int64_t a_step,
                  std::int64_t b_step, std::int64_t count) {
  Guarded<T> a(numbers<T>(a_step ? count : 1, 1)), b(numbers<T>(b_step ? count : 1, 2)), g(numbers<T>(count, 3));
  for (T& x : b.memory) {
    if (x == 0) x = 1;  // for div
  }
  if (a_step && b_step && count > 2) a.data()[2] = b[2];  // a tie
  Guarded<T> y(std::vector<T>(static_cast<std::size_t>(count), T(0)));
  Guarded<T> da(numbers<T>(a.count, 4)), db(numbers<T>(b.count, 5));
  Guarded<T> expected_da = da, expected_db = db;
  kernels[reference.op].forward(a.data(), a_step, b.data(), b_step, y.data(), count);
  kernels[reference.op].vjp(g.data(), a.data(), a_step, b.data(), b_step, da.data(), nullptr, count);
  kernels[reference.op].vjp(g.data(), a.data(), a_step, b.data(), b_step, nullptr, db.data(), count);
  bool all_equal = true;
  for (std::int64_t i = 0; i < count; ++i) {
    const T u = a[i * a_step], v = b[i * b_step];
    all_equal = all_equal && y[i] == reference.f(u, v);
    expected_da.data()[i * a_step] += g[i] * reference.da(u, v);
    expected_db.data()[i * b_step] += g[i] * reference.db(u, v);
  }
  for (std::int64_t i = 0; i < a.count; ++i) all_equal = all_equal && is_near(da[i], expected_da[i]);
  for (std::int64_t i = 0; i < b.count; ++i) all_equal = all_equal && is_near(db[i], expected_db[i]);
  CHECK(all_equal);
  CHECK((y.is_intact() && da.is_intact() && db.is_intact()));
}

}  // namespace

TEST_CASE("functions of two arguments and their gradients, for every length and each operand single or not") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    const std::vector<BinaryReference<T>> references = binary_references<T>();
    CHECK(references.size() == static_cast<std::size_t>(binary_count));
    for (const BinaryReference<T>& reference : references) {
      const std::string name = kernels[reference.op].name;
      CAPTURE(name);
      for (std::int64_t count = 0; count <= longest; ++count) {
        CAPTURE(count);
        check_binary(kernels, reference, 1, 1, count);
        check_binary(kernels, reference, 0, 1, count);
        check_binary(kernels, reference, 1, 0, count);
      }
    }
  });
}

TEST_CASE("a single divisor's gradient is not spoilt by the lanes behind the last element") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    const T a = 3, g[] = {1, 2, 3}, b[] = {1, 2, 4};
    T da = 0;
    kernels[Binary::div].vjp(g, &a, 0, b, 1, &da, nullptr, 3);
    CHECK(da == T(2.75));
  });
}

TEST_CASE("maximum and minimum pass a NaN of either side on") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), a[] = {nan, 1, nan}, b[] = {1, nan, nan};
    for (const Binary op : {Binary::maximum, Binary::minimum}) {
      T y[3] = {};
      kernels[op].forward(a, 1, b, 1, y, 3);
      for (const T each : y) CHECK(std::isnan(each));
    }
  });
}

TEST_CASE("functions of one argument work in place, for every length, and touch no more") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    for (int op = 0; op < unary_count; ++op) {
      const auto& kernel = kernels.unary[op];
      const std::string name = kernel.name;
      CAPTURE(name);
      const std::vector<T> all = numbers<T>(longest, 6);
      std::vector<T> whole(all.size()), whole_dx(all.size());
      kernel.forward(all.data(), whole.data(), longest, T(2));
      kernel.vjp(all.data(), all.data(), whole.data(), whole_dx.data(), longest, T(2));
      for (std::int64_t count = 0; count <= longest; ++count) {
        const std::vector<T> some(all.begin(), all.begin() + count);
        Guarded<T> y(some), dx(some);
        kernel.forward(y.data(), y.data(), count, T(2));
        kernel.vjp(dx.data(), some.data(), y.data(), dx.data(), count, T(2));
        bool all_equal = y.is_intact() && dx.is_intact();
        for (std::int64_t i = 0; i < count; ++i) {
          const T expected = whole[static_cast<std::size_t>(i)], expected_dx = whole_dx[static_cast<std::size_t>(i)];
          all_equal = all_equal && (y[i] == expected || (std::isnan(y[i]) && std::isnan(expected)));
          all_equal = all_equal && (dx[i] == expected_dx || (std::isnan(dx[i]) && std::isnan(expected_dx)));
        }
        CHECK(all_equal);
      }
    }
  });
}

TEST_CASE("derivatives at kinks and poles are PyTorch's") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    const T zero = 0, one = 1, infinity = std::numeric_limits<T>::infinity();
    const auto slope_at_zero = [&](Unary op) {
      T y = 0, dx = 0;
      kernels[op].forward(&zero, &y, 1, T(1.5));
      kernels[op].vjp(&one, &zero, &y, &dx, 1, T(1.5));
      return dx;
    };
    CHECK(slope_at_zero(Unary::relu) == 0);
    CHECK(slope_at_zero(Unary::abs) == 0);
    CHECK(slope_at_zero(Unary::elu) == T(1.5));
    CHECK(slope_at_zero(Unary::sqrt) == infinity);
    CHECK(slope_at_zero(Unary::rsqrt) == -infinity);
    CHECK(slope_at_zero(Unary::log) == infinity);
    CHECK(slope_at_zero(Unary::pow) == 0);
  });
}

TEST_CASE("where selects, each operand single or not") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    constexpr std::int64_t count = 5;
    const bool condition[count] = {true, false, false, true, true};
    const std::vector<T> a = numbers<T>(count, 7), b = numbers<T>(count, 8);
    for (int steps = 0; steps < 8; ++steps) {
      const std::int64_t c_step = steps & 1, a_step = steps >> 1 & 1, b_step = steps >> 2;
      T y[count] = {};
      kernels.where(condition, c_step, a.data(), a_step, b.data(), b_step, y, count);
      for (std::int64_t i = 0; i < count; ++i) {
        const T expected =
            condition[i * c_step] ? a[static_cast<std::size_t>(i * a_step)] : b[static_cast<std::size_t>(i * b_step)];
        CHECK(y[i] == expected);
      }
    }
  });
}

TEST_CASE("add_into, scale and axpy, for every length") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    for (std::int64_t count = 0; count <= longest; ++count) {
      CAPTURE(count);
      Guarded<T> x(numbers<T>(count, 9)), sum(numbers<T>(count, 10)), scaled(numbers<T>(count, 11));
      Guarded<T> combined = sum;
      kernels.axpy(T(1.5), x.data(), combined.data(), count);
      kernels.scale(T(1.5), x.data(), scaled.data(), count);
      const Guarded<T> before = sum;
      kernels.add_into(x.data(), sum.data(), count);
      bool all_equal = sum.is_intact() && scaled.is_intact() && combined.is_intact();
      for (std::int64_t i = 0; i < count; ++i) {
        all_equal = all_equal && sum[i] == before[i] + x[i] && scaled[i] == T(1.5) * x[i] &&
                    combined[i] == before[i] + T(1.5) * x[i];
      }
      CHECK(all_equal);
    }
  });
}

TEST_CASE("a sum is exact where it can be, and its error does not grow with the length") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    std::vector<std::int64_t> counts = {4095, 4096, 4097, 8191, 8193, 12289, 100003};
    for (std::int64_t count = 0; count <= 8 * 16 + 1; ++count) counts.push_back(count);
    for (const std::int64_t count : counts) {
      CAPTURE(count);
      const std::vector<T> x = numbers<T>(count, 12);
      double exact = 0;
      for (const T each : x) exact += each;
      CHECK(kernels.sum(x.data(), count) == static_cast<T>(exact));
    }
    constexpr std::int64_t many = 1 << 21;
    const std::vector<T> tenths(many, T(0.1));
    const T expected = static_cast<T>(many) * T(0.1);
    CHECK(std::abs(kernels.sum(tenths.data(), many) - expected) <= 64 * std::numeric_limits<T>::epsilon() * expected);
  });
}

TEST_CASE("the largest element is found at every place, NaN wins, and nothing gives -infinity") {
  for_every_table([]<class T>(const Kernels<T>& kernels) {
    CHECK(kernels.max(nullptr, 0) == -std::numeric_limits<T>::infinity());
    for (std::int64_t count = 1; count <= longest; ++count) {
      CAPTURE(count);
      for (std::int64_t place = 0; place < count; ++place) {
        std::vector<T> x(static_cast<std::size_t>(count), T(-5));
        x[static_cast<std::size_t>(place)] = -3;  // below the zeros that fill a partial load
        CHECK(kernels.max(x.data(), count) == -3);
        x[static_cast<std::size_t>(place)] = std::numeric_limits<T>::quiet_NaN();
        CHECK(std::isnan(kernels.max(x.data(), count)));
      }
    }
  });
}

}  // namespace lintel
