// Checkpoints: the same gradients from less memory.
#include <doctest/doctest.h>

#include <lintel/lintel.hpp>
#include <memory>

#include "file_helpers.hpp"

using namespace lintel;
using lintel_test::error_of;

namespace {

Tensor number(double value) { return scalar(value, DType::float64); }

Tensor random(const Shape& shape, std::uint64_t seed) {
  Rng rng(seed);
  return normal(shape, 0, 1, rng);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto left = a.values<float>(), right = b.values<float>();
  return a.shape() == b.shape() && std::equal(left.begin(), left.end(), right.begin());
}

/// Two layers with dropout between them.
struct Network {
  Tensor x = random({40, 16}, 1), up = random({64, 16}, 2), down = random({16, 64}, 3);

  Tensor operator()() const {
    return linear(dropout(linear(x, up, Tensor(), Activation::gelu), 0.3, 5), down, Tensor());
  }
  std::vector<Tensor> inputs() const { return {x, up, down}; }
};

/// The gradients of the sum of squares of `f()`.
template <class Function>
Gradients gradients_of(const Function& f, const std::vector<Tensor>& inputs) {
  Tape tape;
  for (const Tensor& input : inputs) tape.watch(input);
  return tape.gradients(sum(square(f())));
}

}  // namespace

TEST_CASE("a checkpoint changes neither a value nor a gradient by a bit, dropout included") {
  const Network network;
  const Gradients plain = gradients_of(network, network.inputs());
  const Gradients again = gradients_of([&] { return checkpoint(network); }, network.inputs());
  const Gradients nested =
      gradients_of([&] { return checkpoint([&] { return checkpoint(network); }); }, network.inputs());
  CHECK(same_bits(network(), checkpoint(network)));
  for (const Tensor& input : network.inputs()) {
    CHECK(same_bits(plain[input], again[input]));
    CHECK(same_bits(plain[input], nested[input]));
  }
}

TEST_CASE("a tape keeps what a checkpoint read and nothing that it computed") {
  const Network network;
  Tape tape;
  for (const Tensor& input : network.inputs()) tape.watch(input);
  const Tensor y = checkpoint(network);
  CHECK(tape.records().size() == 1);
  CHECK(tape.records()[0].op == "checkpoint");
  CHECK(tape.saved_bytes() == network.x.bytes() + network.up.bytes() + network.down.bytes());
  CHECK(y.shape() == Shape{40, 16});
}

TEST_CASE("a checkpoint keeps and differentiates only what a tape watches") {
  const Network network;
  Tape tape;
  tape.watch(network.down);
  const Tensor y = checkpoint(network);
  CHECK(tape.saved_bytes() == network.down.bytes());
  const Tensor gradient = tape.gradients(sum(square(y)))[network.down];
  CHECK(same_bits(gradient, gradients_of(network, {network.down})[network.down]));
  CHECK(same_bits(checkpoint(network), y));  // the tape is consumed: nobody watches, nothing is recorded
}

TEST_CASE("what was computed before a checkpoint receives its gradient through it") {
  const Tensor x = number(3);
  Tape tape;
  tape.watch(x);
  const Tensor square_of_x = x * x;
  const Tensor y = checkpoint([=] { return square_of_x * x; });
  CHECK(tape.gradients(y)[x].item() == 27);
}

TEST_CASE("a checkpoint is differentiated twice and thrice") {
  auto cube = [](const Tensor& x) { return checkpoint([=] { return x * x * x; }); };
  CHECK(grad(cube)(number(2)).item() == 12);
  CHECK(grad(grad(cube))(number(2)).item() == 12);
  CHECK(grad(grad(grad(cube)))(number(2)).item() == 6);
}

TEST_CASE("a gradient inside of a checkpoint is part of it") {
  auto f = [](const Tensor& x) {
    return checkpoint([=] { return grad([](const Tensor& y) { return y * y * y; })(x); });
  };
  CHECK(f(number(2)).item() == 12);
  CHECK(grad(f)(number(2)).item() == 12);
}

TEST_CASE("several tapes may watch what a checkpoint reads") {
  const Tensor x = number(2), y = number(5);
  Tape first, second;
  first.watch(x);
  second.watch(y);
  const Tensor product = checkpoint([=] { return x * y; });
  CHECK(first.gradients(product)[x].item() == 5);
  CHECK(second.gradients(product)[y].item() == 2);
}

TEST_CASE("a function that hands on what it found is the identity") {
  const Tensor x = number(2);
  Tape tape;
  tape.watch(x);
  const Tensor y = checkpoint([=] { return x; });
  CHECK(y.id() != x.id());
  CHECK(tape.gradients(y * y)[x].item() == 4);
}

TEST_CASE("a kept tape goes through a checkpoint again") {
  const Tensor x = number(3);
  Tape tape;
  tape.watch(x);
  const Tensor y = checkpoint([=] { return x * x; });
  CHECK(tape.gradients(y, {x, y}, {.keep = true})[x].item() == 6);
  CHECK(tape.gradients(y)[x].item() == 6);
}

TEST_CASE("a tape that is freed inside of a checkpoint is forgotten, and others record on") {
  const Tensor x = number(3);
  auto doomed = std::make_unique<Tape>();
  Tape tape;
  tape.watch(x);
  const Tensor y = checkpoint([&] {
    doomed.reset();
    return x * x;
  });
  CHECK(is_recording({x}));
  CHECK(tape.gradients(y)[x].item() == 6);
}

TEST_CASE("the flops of a checkpoint are counted once, and once more as recomputed") {
  const Network network;
  const double products = 2.0 * 40 * 64 * 16 * 2;
  Tape tape;
  tape.watch(network.x);
  (void)checkpoint([&] { return checkpoint(network); });
  CHECK(tape.records()[0].flops == products);
  CHECK(tape.records()[0].recomputed_flops == 2 * products);
}

TEST_CASE("errors of a checkpoint are sentences that name where it is") {
  const Tensor x = number(3);
  CHECK(error_of([] { (void)checkpoint([] { return Tensor(); }); }) ==
        "checkpoint: the function gave an undefined tensor, a result wanted");
  Tape tape;
  tape.watch(x);
  CHECK(error_of([&] { (void)checkpoint([=]() -> Tensor { return matmul(x, x); }); }).find("matmul:") == 0);
  CHECK(is_recording({x}));
  Tensor y;
  {
    const LayerScope scope("blocks.0");
    y = checkpoint([=] { return x * x; });
  }
  write<double>(x, "AdamW")[0] = 4;
  const std::string message = error_of([&] { (void)tape.gradients(y); });
  CHECK(message.find("backward of checkpoint in blocks.0: a tensor of shape ()") == 0);
  CHECK(message.find("was changed by AdamW") != std::string::npos);
}
