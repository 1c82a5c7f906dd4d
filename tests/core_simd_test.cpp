// The choice of instruction set, and the SIMD vocabulary of every available one.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <lintel/core/error.hpp>
#include <lintel/core/isa.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <string>
#include <utility>
#include <vector>

#include "simd_probe.hpp"

namespace lintel {

using simd_probe::Lanewise;
using simd_probe::Probe;
using simd_probe::Probes;
using simd_probe::Reduction;

namespace {

/// The instruction set that was active before a test, again active after it.
struct RestoredIsa {
  Isa isa = active_isa();
  RestoredIsa() = default;
  RestoredIsa(const RestoredIsa&) = delete;
  RestoredIsa& operator=(const RestoredIsa&) = delete;
  ~RestoredIsa() { set_active_isa(isa); }
};

}  // namespace

// ---- The choice ----------------------------------------------------------------------------------------------------

TEST_CASE("the baseline is always available, and the active set is one of those that are") {
  const std::vector<Isa> isas = available_isas();
  REQUIRE(!isas.empty());
  CHECK(isas.front() == Isa::baseline);
  bool found = false;
  for (const Isa isa : isas) found = found || isa == active_isa();
  CHECK(found);
}

TEST_CASE("every available set can be made the active one and has a table of its own") {
  const RestoredIsa restored;
  std::vector<const void*> tables;
  for (const Isa isa : available_isas()) {
    set_active_isa(isa);
    CHECK(active_isa() == isa);
    tables.push_back(&active_kernels<float>());
    CHECK(&active_kernels<float>() == tables.back());
  }
  for (std::size_t i = 1; i < tables.size(); ++i) CHECK(tables[i] != tables[i - 1]);
}

TEST_CASE("a set that is not available is an error that lists the choices, and changes nothing") {
  const Isa before = active_isa();
  for (const Isa isa : {Isa::avx2, Isa::avx512, Isa::neon}) {
    bool is_available = false;
    std::string choices;
    for (const Isa each : available_isas()) {
      is_available = is_available || each == isa;
      choices += (choices.empty() ? "" : ", ") + std::string(isa_name(each));
    }
    if (is_available) continue;
    const std::string sentence = "set_active_isa: instruction set \"" + std::string(isa_name(isa)) +
                                 "\" is unknown or not available here; choices: " + choices;
    CHECK_THROWS_WITH_AS(set_active_isa(isa), sentence.c_str(), Error);
    CHECK(active_isa() == before);
  }
}

// ---- The vocabulary ------------------------------------------------------------------------------------------------

namespace {

std::vector<std::pair<Isa, Probes>> available_probes() {
  std::vector<std::pair<Isa, Probes>> probes;
  for (const Isa isa : available_isas()) {
    if (isa == Isa::baseline) probes.emplace_back(isa, kernels::baseline::probes());
#ifdef LINTEL_HAVE_AVX2
    if (isa == Isa::avx2) probes.emplace_back(isa, kernels::avx2::probes());
#endif
#ifdef LINTEL_HAVE_AVX512
    if (isa == Isa::avx512) probes.emplace_back(isa, kernels::avx512::probes());
#endif
#ifdef LINTEL_HAVE_NEON
    if (isa == Isa::neon) probes.emplace_back(isa, kernels::neon::probes());
#endif
  }
  return probes;
}

/// Calls check(probe) for both types of every available set.
template <class Check>
void for_every_probe(Check check) {
  REQUIRE(available_probes().size() == available_isas().size());
  for (const auto& [isa, probes] : available_probes()) {
    const std::string set = isa_name(isa);
    CAPTURE(set);
    check(probes.float32);
    check(probes.float64);
  }
}

/// Equal as numbers, in sign, or both NaN.
template <class T>
bool same(T a, T b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

/// Numbers of every kind.
template <class T>
std::vector<T> awkward_numbers() {
  using limits = std::numeric_limits<T>;
  const T large = std::ldexp(T(1), limits::digits - 2);
  std::vector<T> numbers = {0,
                            T(0.25),
                            T(0.5),
                            T(0.75),
                            1,
                            T(1.5),
                            2,
                            T(2.5),
                            3,
                            T(1000.25),
                            large,
                            large + T(0.5),
                            large * 8,
                            limits::max(),
                            limits::infinity(),
                            limits::min(),
                            limits::denorm_min()};
  const std::size_t count = numbers.size();
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(-numbers[i]);
  numbers.push_back(limits::quiet_NaN());
  return numbers;
}

/// Runs one operation over all triples of `numbers`; reference(a, b, c) is what each lane must hold.
template <class T, class Reference>
void check_lanewise(const Probe<T>& probe, Lanewise operation, const std::vector<T>& numbers, Reference reference) {
  const std::size_t width = static_cast<std::size_t>(probe.width), count = numbers.size();
  std::vector<T> a(width), b(width), c(width), result(width);
  for (std::size_t shift_b = 0; shift_b < count; ++shift_b) {
    for (std::size_t first = 0; first < count; ++first) {
      for (std::size_t i = 0; i < width; ++i) {
        a[i] = numbers[(first + i) % count];
        b[i] = numbers[(first + shift_b + 2 * i) % count];
        c[i] = numbers[(first + 3 * shift_b + 5 * i) % count];
      }
      probe.lanewise(operation, a.data(), b.data(), c.data(), result.data());
      for (std::size_t i = 0; i < width; ++i) {
        const T expected = reference(a[i], b[i], operation == Lanewise::broadcast ? c[0] : c[i]);
        if (same(result[i], expected)) continue;
        CAPTURE(static_cast<int>(operation));
        CAPTURE(a[i]);
        CAPTURE(b[i]);
        CAPTURE(c[i]);
        CAPTURE(i);
        CHECK(result[i] == expected);
        return;
      }
    }
  }
}

}  // namespace

TEST_CASE("arithmetic of a vector is that of its lanes") {
  for_every_probe([]<class T>(const Probe<T>& probe) {
    const std::vector<T> numbers = awkward_numbers<T>();
    check_lanewise(probe, Lanewise::broadcast, numbers, [](T, T, T c) { return c; });
    check_lanewise(probe, Lanewise::add, numbers, [](T a, T b, T) { return a + b; });
    check_lanewise(probe, Lanewise::sub, numbers, [](T a, T b, T) { return a - b; });
    check_lanewise(probe, Lanewise::mul, numbers, [](T a, T b, T) { return a * b; });
    check_lanewise(probe, Lanewise::div, numbers, [](T a, T b, T) { return a / b; });
    check_lanewise(probe, Lanewise::negate, numbers, [](T a, T, T) { return -a; });
    check_lanewise(probe, Lanewise::abs, numbers, [](T a, T, T) { return std::abs(a); });
    check_lanewise(probe, Lanewise::copysign, numbers, [](T a, T b, T) { return std::copysign(a, b); });
    check_lanewise(probe, Lanewise::sqrt, numbers, [](T a, T, T) { return std::sqrt(a); });
  });
}

TEST_CASE("fma and fnma multiply and add, with one rounding or two") {
  for_every_probe([]<class T>(const Probe<T>& probe) {
    const std::size_t width = static_cast<std::size_t>(probe.width);
    const T one_more = 1 + std::numeric_limits<T>::epsilon();
    const std::vector<T> a(width, one_more), b(width, one_more), c(width, -1), d(width, 1);
    const T rounded_once = std::fma(one_more, one_more, T(-1));
    const volatile T product = one_more * one_more;  // volatile, so that the compiler does not fuse it either
    std::vector<T> result(width);
    probe.lanewise(Lanewise::fma, a.data(), b.data(), c.data(), result.data());
    for (const T x : result) CHECK((x == rounded_once || x == product - 1));
    probe.lanewise(Lanewise::fnma, a.data(), b.data(), d.data(), result.data());
    for (const T x : result) CHECK((x == -rounded_once || x == 1 - product));
    if (probe.width * sizeof(T) > 16) CHECK(result[0] == -rounded_once);
  });
}

TEST_CASE("min and max of numbers that compare") {
  for_every_probe([]<class T>(const Probe<T>& probe) {
    std::vector<T> numbers = awkward_numbers<T>();
    numbers.pop_back();  // NaN, and one of the two zeros: either may be returned
    std::erase_if(numbers, [](T x) { return x == 0 && std::signbit(x); });
    check_lanewise(probe, Lanewise::min, numbers, [](T a, T b, T) { return b < a ? b : a; });
    check_lanewise(probe, Lanewise::max, numbers, [](T a, T b, T) { return a < b ? b : a; });
  });
}

TEST_CASE("round goes to even, floor goes down, and both leave large numbers, infinities and NaN alone") {
  for_every_probe([]<class T>(const Probe<T>& probe) {
    // The sign of a zero is not promised: the rounding of SSE2 is made of additions.
    const auto without_sign = [](T x) { return x == 0 ? T(0) : x; };
    std::vector<T> numbers = awkward_numbers<T>();
    std::erase_if(numbers, [](T x) { return std::abs(x) < T(0.6) && (x < 0 || std::signbit(x)); });
    check_lanewise(probe, Lanewise::round, numbers, [&](T a, T, T) { return without_sign(std::nearbyint(a)); });
    check_lanewise(probe, Lanewise::floor, numbers, [&](T a, T, T) { return without_sign(std::floor(a)); });
  });
}

TEST_CASE("comparisons with NaN are false, and masks combine") {
  for_every_probe([]<class T>(const Probe<T>& probe) {
    const std::vector<T> numbers = awkward_numbers<T>();
    check_lanewise(probe, Lanewise::less, numbers, [](T a, T b, T) { return T(a < b); });
    check_lanewise(probe, Lanewise::less_equal, numbers, [](T a, T b, T) { return T(a <= b); });
    check_lanewise(probe, Lanewise::greater, numbers, [](T a, T b, T) { return T(a > b); });
    check_lanewise(probe, Lanewise::greater_equal, numbers, [](T a, T b, T) { return T(a >= b); });
    check_lanewise(probe, Lanewise::equal, numbers, [](T a, T b, T) { return T(a == b); });
    check_lanewise(probe, Lanewise::isnan, numbers, [](T a, T, T) { return T(std::isnan(a)); });
    check_lanewise(probe, Lanewise::both, numbers, [](T a, T b, T c) { return T(a < b && b < c); });
    check_lanewise(probe, Lanewise::either, numbers, [](T a, T b, T c) { return T(a < b || b < c); });
    check_lanewise(probe, Lanewise::not_less, numbers, [](T a, T b, T) { return T(!(a < b)); });
    check_lanewise(probe, Lanewise::select, numbers, [](T a, T b, T c) { return a < b ? a : c; });
  });
}

TEST_CASE("exponents are written and read for every normal number") {
  for_every_probe([]<class T>(const Probe<T>& probe) {
    using limits = std::numeric_limits<T>;
    std::vector<T> exponents, numbers;
    for (int e = limits::min_exponent - 1; e < limits::max_exponent; ++e) {
      exponents.push_back(static_cast<T>(e));
      if (e % 16 != 0) continue;
      for (const T m : {T(1), std::nextafter(std::sqrt(T(2)), T(0)), std::nextafter(std::sqrt(T(2)), T(2)), T(1.75)}) {
        numbers.push_back(std::ldexp(m, e));
      }
    }
    numbers.push_back(limits::min());
    numbers.push_back(limits::max());
    // m in [1/2, 1) moved to [sqrt(1/2), sqrt(2)), the square root rounded to T
    const auto exponent_of = [](T a) {
      int e = 0;
      return std::frexp(a, &e) < std::sqrt(T(0.5)) ? e - 1 : e;
    };
    const std::vector<T> few(exponents.begin(), exponents.begin() + 40), last(exponents.end() - 40, exponents.end());
    for (const std::vector<T>& some : {few, last}) {
      check_lanewise(probe, Lanewise::exp2_int, some, [](T a, T, T) { return std::ldexp(T(1), static_cast<int>(a)); });
    }
    check_lanewise(probe, Lanewise::exponent, numbers, [&](T a, T, T) { return static_cast<T>(exponent_of(a)); });
    check_lanewise(probe, Lanewise::mantissa, numbers, [&](T a, T, T) { return std::ldexp(a, -exponent_of(a)); });
  });
}

TEST_CASE("reductions see every lane, and add in halves upon halves") {
  for_every_probe([]<class T>(const Probe<T>& probe) {
    const std::size_t width = static_cast<std::size_t>(probe.width);
    for (std::size_t special = 0; special < width; ++special) {
      std::vector<T> a(width), zeros(width, 0);
      for (std::size_t i = 0; i < width; ++i) a[i] = i == special ? T(7) : T(-1) / static_cast<T>(3 + i);
      std::vector<T> halves = a;
      for (std::size_t half = width / 2; half > 0; half /= 2) {
        for (std::size_t i = 0; i < half; ++i) halves[i] += halves[i + half];
      }
      CHECK(probe.reduce(Reduction::add, a.data(), a.data()) == halves[0]);
      CHECK(probe.reduce(Reduction::max, a.data(), a.data()) == 7);
      CHECK(probe.reduce(Reduction::any_less, zeros.data(), a.data()) == 1);
      CHECK(probe.reduce(Reduction::all_less, a.data(), zeros.data()) == 0);
      a[special] = -9;
      CHECK(probe.reduce(Reduction::min, a.data(), a.data()) == -9);
      CHECK(probe.reduce(Reduction::any_less, zeros.data(), a.data()) == 0);
      CHECK(probe.reduce(Reduction::all_less, a.data(), zeros.data()) == 1);
    }
  });
}

TEST_CASE("a partial load or store touches its elements only, even at the end of mapped memory") {
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  char* const end = static_cast<char*>(pages) + page;
  REQUIRE(mprotect(end, page, PROT_NONE) == 0);
  for_every_probe([&]<class T>(const Probe<T>& probe) {
    for (int count = 0; count <= probe.width; ++count) {
      T* const last = reinterpret_cast<T*>(end) - count;
      std::vector<T> lanes(static_cast<std::size_t>(probe.width)), loaded(lanes.size(), T(-1));
      for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = static_cast<T>(i + 1);
      last[-1] = 99;
      probe.store_partial(last, count, lanes.data());
      CHECK(last[-1] == 99);
      probe.load_partial(last, count, loaded.data());
      for (int i = 0; i < probe.width; ++i) {
        CHECK(loaded[static_cast<std::size_t>(i)] == (i < count ? static_cast<T>(i + 1) : T(0)));
      }
    }
  });
  munmap(pages, 2 * page);
}

}  // namespace lintel
