// Tensors, shapes and types as values.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <lintel/lintel.hpp>

using namespace lintel;

namespace {

struct Pair {
  Tensor left = zeros({1}), absent;
  static void visit(auto& self, auto&& f) {
    f("left", self.left);
    f("absent", self.absent);
  }
};

struct Nest {
  std::vector<Pair> pairs{Pair{}, Pair{}};
  std::optional<Pair> maybe;
  std::variant<Tensor, Pair> either = Pair{};
  static void visit(auto& self, auto&& f) {
    f("pairs", self.pairs);
    f("maybe", self.maybe);
    f("either", self.either);
  }
};

}  // namespace

TEST_CASE("a shape counts its elements and prints as a Python tuple") {
  auto printed = [](const Shape& shape) {
    std::ostringstream out;
    out << shape;
    return out.str();
  };
  CHECK(Shape{}.size() == 1);
  CHECK(Shape{3, 0, 2}.size() == 0);
  CHECK(printed(Shape{}) == "()");
  CHECK(printed(Shape{5}) == "(5,)");
  CHECK(printed(Shape{32, 64}) == "(32, 64)");
  CHECK(Shape{2, 3}[-1] == 3);
  CHECK(Shape{2, 3} != Shape{2, 3, 1});
}

TEST_CASE("an impossible shape is an error with a sentence") {
  CHECK_THROWS_WITH_AS(Shape({2, -1}), "shape: axis 1 has size -1, a size of at least 0 wanted", Error);
  CHECK_THROWS_WITH_AS(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), "shape: 9 axes given, at most 8 wanted", Error);
  const std::int64_t huge = std::int64_t{1} << 40;
  CHECK_THROWS_AS(Shape({huge, huge}), Error);
  CHECK_THROWS_AS(Shape({huge, huge, 0}), Error);  // a zero must not hide the overflow
  CHECK_THROWS_WITH_AS((Shape{2, 3}[2]), "shape: axis 2 is out of range for shape (2, 3)", Error);
  CHECK_THROWS_AS(empty({std::int64_t{1} << 61}), Error);  // more bytes than there are addresses
  CHECK_THROWS_AS(empty({std::int64_t{1} << 55}), Error);  // more bytes than any machine has
}

TEST_CASE("copying a handle keeps identity and buffer, results have new ones") {
  const Tensor x({2}, {1.0f, 2.0f});
  const Tensor copy = x;
  CHECK(copy.id() == x.id());
  CHECK(copy.shares_buffer_with(x));
  const Tensor deep = clone(x);
  CHECK(deep.id() != x.id());
  CHECK_FALSE(deep.shares_buffer_with(x));
  CHECK(share_buffer(x, {1}, 1).data<float>()[0] == 2.0f);
  CHECK_THROWS_AS((void)share_buffer(x, {2}, 1), Error);
}

TEST_CASE("every write bumps the version that all handles see and names its writer") {
  const Tensor x = zeros({3});
  const Tensor view_of_x = share_buffer(x, {1}, 2);
  const std::uint64_t before = x.version();
  write<float>(view_of_x, "a test")[0] = 1;
  CHECK(x.version() == before + 1);
  CHECK(std::string(x.last_writer()) == "a test");
  CHECK(x.data<float>()[2] == 1);
}

TEST_CASE("reading or writing as another type is an error") {
  const Tensor x = zeros({3});
  CHECK_THROWS_WITH_AS((void)x.data<double>(), "tensor: holds float32, read as float64", Error);
  CHECK_THROWS_AS((void)write<std::int64_t>(x, "a test"), Error);
  CHECK_THROWS_AS((void)Tensor().data<float>(), Error);
  CHECK(Tensor().bytes() == 0);
  CHECK_THROWS_WITH_AS((Tensor({2, 2}, {1.0f})), "tensor: shape (2, 2) wants 4 values, got 1", Error);
  CHECK_THROWS_AS((void)x.item(), Error);
  CHECK(scalar(2.5).item() == 2.5);
}

TEST_CASE("buffers start on 64 bytes, whatever their size") {
  for (const std::int64_t size : {0, 1, 3, 17, 1000, 100000, 1000000}) {
    CHECK(reinterpret_cast<std::uintptr_t>(empty({size}).data<float>()) % 64 == 0);
  }
}

TEST_CASE("bfloat16 rounds to nearest even and keeps infinities and NaN") {
  auto through = [](float value) { return static_cast<float>(bfloat16(value)); };
  CHECK(through(1.0f) == 1.0f);
  CHECK(through(1.00390625f) == 1.0f);       // exactly between 1 and 1 + 2^-7: to even
  CHECK(through(1.01171875f) == 1.015625f);  // exactly between, the even neighbour is above
  CHECK(through(1.0040f) == 1.0078125f);     // just above the middle
  CHECK(through(-3.0e38f) == doctest::Approx(-3.0e38).epsilon(0.01));
  CHECK(std::isinf(through(std::numeric_limits<float>::max())));
  CHECK(std::isinf(through(std::numeric_limits<float>::infinity())));
  CHECK(std::isnan(through(std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(through(std::bit_cast<float>(0x7f800001u))));  // a NaN whose payload is in the dropped half
}

TEST_CASE("conversion goes between all types") {
  const Tensor x({4}, {0.0f, -1.75f, 2.5f, 300.0f});
  const Tensor whole = convert(x, DType::int64);
  CHECK(whole.data<std::int64_t>()[1] == -1);
  CHECK(whole.data<std::int64_t>()[3] == 300);
  const Tensor truth = convert(x, DType::boolean);
  CHECK_FALSE(truth.data<bool>()[0]);
  CHECK(truth.data<bool>()[1]);
  CHECK(convert(truth, DType::float64).data<double>()[2] == 1.0);
  CHECK(convert(convert(x, DType::bfloat16), DType::float32).data<float>()[2] == 2.5f);
  const Tensor extreme({2}, {std::numeric_limits<double>::quiet_NaN(), 1e30});
  CHECK(convert(extreme, DType::int64).data<std::int64_t>()[0] == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("factories fill what they say") {
  CHECK(full({2}, 1.5, DType::float64).data<double>()[1] == 1.5);
  CHECK(arange(2, 5).values<std::int64_t>()[2] == 4);
  CHECK(arange(5, 5).size() == 0);
  CHECK_THROWS_AS((void)arange(5, 4), Error);
  Rng rng(7);
  const Tensor flat = uniform({100000}, -1, 3, rng);
  double sum = 0;
  for (const float value : flat.values<float>()) {
    CHECK_UNARY(value >= -1.0f && value < 3.0f);
    sum += value;
  }
  CHECK(sum / 100000 == doctest::Approx(1).epsilon(0.02));
  const Tensor bell = normal({100000}, 2, 3, rng, DType::float64);
  double mean = 0, square = 0;
  for (const double value : bell.values<double>()) mean += value / 100000;
  for (const double value : bell.values<double>()) square += (value - mean) * (value - mean) / 100000;
  CHECK(mean == doctest::Approx(2).epsilon(0.02));
  CHECK(std::sqrt(square) == doctest::Approx(3).epsilon(0.02));
}

TEST_CASE("random tensors have equal bits for any number of threads") {
  const int before = threads();
  std::vector<std::vector<float>> results;
  for (const int count : {1, 2, 7}) {
    set_threads(count);
    Rng rng(11);
    const auto values = normal({1 << 18}, 0, 1, rng).values<float>();
    results.emplace_back(values.begin(), values.end());
  }
  set_threads(before);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("a module's tensors are walked by name") {
  std::vector<std::string> names;
  const Nest nest;
  for_each_tensor(nest, [&](const std::string& name, const Tensor&) { names.push_back(name); });
  CHECK(names == std::vector<std::string>{"pairs.0.left", "pairs.1.left", "either.left"});
}
