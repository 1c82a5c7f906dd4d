// Walking a module's tensors: names, counts, copies.
#include <doctest/doctest.h>

#include <lintel/nn/linear.hpp>
#include <lintel/nn/parameters.hpp>

using namespace lintel;

namespace {

struct Tower {
  std::vector<nn::Linear> floors;
  std::optional<nn::Linear> roof;
  static void visit(auto& self, auto&& f) {
    f("floors", self.floors);
    f("roof", self.roof);
  }
};

struct Tied {
  Tensor first, second;
  static void visit(auto& self, auto&& f) {
    f("first", self.first);
    f("second", self.second);
  }
};

Tower tower_of(Rng& rng) { return {{nn::Linear(2, 3, rng), nn::Linear(3, 4, rng, {.bias = false})}, std::nullopt}; }

}  // namespace

TEST_CASE("parameters are named by the path of members and counted") {
  Rng rng(1);
  const Tower tower = tower_of(rng);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::named_parameters(tower)) names.push_back(name);
  CHECK(names == std::vector<std::string>{"floors.0.weight", "floors.0.bias", "floors.1.weight"});
  CHECK(nn::parameter_count(tower) == 2 * 3 + 3 + 3 * 4);
}

TEST_CASE("a copy of a module shares its storage, a clone does not") {
  Rng rng(1);
  const Tower tower = tower_of(rng);
  const Tower copy = tower, cloned = clone(tower);
  const Tensor& weight = tower.floors[0].weight;
  CHECK(copy.floors[0].weight.shares_buffer_with(weight));
  CHECK(copy.floors[0].weight.id() == weight.id());
  CHECK_FALSE(cloned.floors[0].weight.shares_buffer_with(weight));
  CHECK(cloned.floors[0].weight.id() != weight.id());
  const float before = cloned.floors[0].weight.data<float>()[0];
  CHECK(before == weight.data<float>()[0]);
  write<float>(weight, "test")[0] = before + 1;
  CHECK(copy.floors[0].weight.data<float>()[0] == before + 1);
  CHECK(cloned.floors[0].weight.data<float>()[0] == before);
}

TEST_CASE("a tensor that two members share is counted once and stays shared in a clone") {
  const Tensor weight = ones({3});
  const Tied tied{weight, weight};
  CHECK(nn::parameter_count(tied) == 3);
  const Tied cloned = clone(tied);
  CHECK(cloned.first.id() == cloned.second.id());
  CHECK_FALSE(cloned.first.shares_buffer_with(weight));
}
