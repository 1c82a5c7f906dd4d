// The tape: what is recorded, how it is walked back, and what it refuses.
#include <doctest/doctest.h>

#include <cmath>
#include <lintel/lintel.hpp>
#include <optional>
#include <thread>

#include "file_helpers.hpp"

using namespace lintel;
using lintel_test::error_of;

namespace {

Tensor number(double value) { return scalar(value, DType::float64); }

}  // namespace

TEST_CASE("nested grad does not confuse perturbations") {
  // d/dx [x · d/dy (x + y)] = d/dx [x · 1] = 1; a library that mixes up the two derivatives says 2.
  auto outer = [](const Tensor& x) {
    auto inner = [&x](const Tensor& y) { return x + y; };
    return x * grad(inner)(x);
  };
  CHECK(grad(outer)(number(1)).item() == 1);
}

TEST_CASE("the sixth derivative of tanh agrees with its closed form") {
  auto f = [](const Tensor& x) { return tanh(x); };
  const auto sixth = grad(grad(grad(grad(grad(grad(f))))));
  for (const double at : {-1.3, -0.2, 0.0, 0.4, 2.0}) {
    // With t = tanh x, each derivative is the previous polynomial differentiated in t, times 1 − t²; six times from t:
    // −16 t (1 − t²) (45 t⁴ − 60 t² + 17)·… is easiest to check by that rule itself, on the coefficients.
    std::vector<double> coefficients = {0, 1};
    for (int order = 0; order < 6; ++order) {
      std::vector<double> next(coefficients.size() + 1, 0.0);
      for (std::size_t power = 1; power < coefficients.size(); ++power) {
        const double slope = coefficients[power] * static_cast<double>(power);
        next[power - 1] += slope;
        next[power + 1] -= slope;
      }
      coefficients = next;
    }
    double expected = 0;
    for (std::size_t power = coefficients.size(); power-- > 0;)
      expected = expected * std::tanh(at) + coefficients[power];
    CHECK(sixth(number(at)).item() == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("a second tape differentiates the gradient that a first one computed") {
  const Tensor x = number(3);
  Tape outer;
  outer.watch(x);
  Tensor slope;
  {
    Tape inner;
    inner.watch(x);
    const Tensor y = x * x * x;
    slope = inner.gradients(y)[x];
  }
  CHECK(slope.item() == 27);                        // 3x²
  CHECK(outer.gradients(slope)[x].item() == 18.0);  // 6x
}

TEST_CASE("jvp, vjp and hessian_vector agree with the derivatives written out") {
  const Tensor x({3}, {0.5, -1.0, 2.0});
  const Tensor v({3}, {1.0, 2.0, -0.5});
  auto cube = [](const Tensor& t) { return t * t * t; };
  auto sum_of_cubes = [&](const Tensor& t) { return sum(cube(t)); };
  const Tensor forward = jvp(cube)(x, v), backward = vjp(cube)(x, v), curvature = hessian_vector(sum_of_cubes)(x, v);
  for (std::int64_t i = 0; i < 3; ++i) {
    const double at = x.data<double>()[i], direction = v.data<double>()[i];
    CHECK(forward.data<double>()[i] == doctest::Approx(3 * at * at * direction));
    CHECK(backward.data<double>()[i] == doctest::Approx(3 * at * at * direction));
    CHECK(curvature.data<double>()[i] == doctest::Approx(6 * at * direction));
  }
}

TEST_CASE("what no tape watches is not recorded and not saved") {
  const Tensor watched = number(2), other = number(5);
  Tape tape;
  tape.watch(watched);
  (void)(other * other);
  CHECK(tape.records().empty());
  (void)(watched * other);
  CHECK(tape.records().size() == 1);
  CHECK_FALSE(is_recording({other}));
  CHECK(is_recording({watched}));
}

TEST_CASE("asking for the gradient of an unwatched tensor is an error") {
  const Tensor x = number(2), stranger = number(2);
  Tape tape;
  tape.watch(x);
  const Gradients gradients = tape.gradients(x * stranger);
  CHECK(gradients[x].item() == 2);
  CHECK(error_of([&] { (void)gradients[stranger]; }).find("was not asked for") != std::string::npos);
}

TEST_CASE("a parameter that the loss does not depend on has a gradient of zeros") {
  const Tensor used = number(2), unused({2, 3}, std::vector<float>(6, 1.0f));
  Tape tape;
  tape.watch(used);
  tape.watch(unused);
  const Gradients gradients = tape.gradients(square(used));
  CHECK(gradients[used].item() == 4);
  CHECK(gradients[unused].shape() == Shape{2, 3});
  for (const float value : gradients[unused].values<float>()) CHECK(value == 0.0f);
}

TEST_CASE("a tensor used several times receives the sum of its uses") {
  const Tensor x = number(3);
  Tape tape;
  tape.watch(x);
  const Tensor y = x * x + x + x;
  CHECK(tape.gradients(y)[x].item() == 2 * 3 + 2);
}

TEST_CASE("the two gradients of a sum do not share a buffer that is written") {
  const Tensor a = number(1), b = number(2);
  Tape tape;
  tape.watch(a);
  tape.watch(b);
  const Gradients gradients = tape.gradients((a + b) + a);  // the cotangent of a + b is a's and b's, then a gets more
  CHECK(gradients[a].item() == 2);
  CHECK(gradients[b].item() == 1);
}

TEST_CASE("an output that is not a scalar needs a seed of its shape") {
  const Tensor x({2}, {1.0, 2.0});
  {
    Tape tape;
    tape.watch(x);
    const Tensor y = x * x;
    CHECK(error_of([&] { (void)tape.gradients(y); }) ==
          "gradients: output 0 has shape (2,), a scalar or a seed of that shape wanted");
  }
  Tape tape;
  tape.watch(x);
  const Tensor y = x * x;
  CHECK(error_of([&] {
          (void)tape.gradients(y, {x}, {.seeds = {number(1)}, .keep = true});
        }).find("seed 0 is float64 ()") != std::string::npos);
  const Tensor gradient = tape.gradients(y, {x}, {.seeds = {Tensor({2}, {10.0, 100.0})}})[x];
  CHECK(gradient.data<double>()[0] == 20);
  CHECK(gradient.data<double>()[1] == 400);
}

TEST_CASE("a kept tape answers again and a consumed one refuses") {
  const Tensor x = number(3);
  Tape tape;
  tape.watch(x);
  const Tensor y = x * x;
  CHECK(tape.gradients(y, tape.watched(), {.keep = true})[x].item() == 6);
  CHECK(tape.gradients(y)[x].item() == 6);
  CHECK(tape.records().empty());
  CHECK(error_of([&] { (void)tape.gradients(y); }).find("was consumed by an earlier call") != std::string::npos);
}

TEST_CASE("a tensor changed after it was saved is an error that names both ops") {
  const Tensor x = number(3);
  Tape tape;
  tape.watch(x);
  const Tensor y = x * x;
  write<double>(x, "AdamW")[0] = 4;
  const std::string message = error_of([&] { (void)tape.gradients(y); });
  CHECK(message.find("backward of mul") != std::string::npos);
  CHECK(message.find("was changed by AdamW") != std::string::npos);
}

TEST_CASE("a gradient with respect to something computed stops there") {
  const Tensor x = number(2);
  Tape tape;
  tape.watch(x);
  const Tensor middle = x * x;
  const Tensor y = middle * middle;
  const Gradients gradients = tape.gradients(y, {middle, x}, {});
  CHECK(gradients[middle].item() == 8);
  CHECK(gradients[x].item() == 32);
}

TEST_CASE("stop_gradient detaches and nothing else does") {
  const Tensor x = number(2);
  Tape tape;
  tape.watch(x);
  const Tensor y = stop_gradient(x) * x;
  CHECK(tape.gradients(y)[x].item() == 2);
}

TEST_CASE("an exception in the middle of a forward pass leaves the thread without tapes") {
  const Tensor x = number(2);
  CHECK_THROWS_AS(
      [&] {
        Tape tape;
        tape.watch(x);
        const Tensor y = x * x;
        (void)matmul(y, y);
      }(),
      Error);
  CHECK_FALSE(is_recording({x}));
  Tape tape;
  tape.watch(x);
  CHECK(tape.gradients(x * x)[x].item() == 4);
}

TEST_CASE("an exception in a vjp names the op and its layer and leaves the tape suspended no longer") {
  const Tensor x = number(2);
  Tape tape;
  tape.watch(x);
  Tensor y;
  {
    const LayerScope outer("blocks"), inner("0");
    y = custom_op("doubtful", {x}, number(1), {},
                  [](const Backward&) -> std::vector<Tensor> { throw Error("cannot"); });
  }
  CHECK(error_of([&] { (void)tape.gradients(y, tape.watched(), {.keep = true}); }) ==
        "backward of doubtful in blocks.0: cannot");
  CHECK(is_recording({x}));
}

TEST_CASE("a vjp that returns a cotangent of the wrong shape is an error, not a crash") {
  const Tensor x({2}, {1.0, 2.0});
  Tape tape;
  tape.watch(x);
  const Tensor y = custom_op("crooked", {x}, number(1), {},
                             [](const Backward& backward) { return std::vector{backward.cotangent()}; });
  CHECK(error_of([&] { (void)tape.gradients(y); }).find("the cotangent of input 0 is float64 (), the input") !=
        std::string::npos);
}

TEST_CASE("each thread records on its own tapes") {
  const Tensor x = number(2);
  Tape tape;
  tape.watch(x);
  std::vector<double> slopes(4);
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    workers.emplace_back([&, i] {
      for (int repetition = 0; repetition < 200; ++repetition) {
        Tape own;
        own.watch(x);
        Tensor y = x;
        for (std::size_t power = 0; power < i; ++power) y = y * x;
        slopes[i] = own.gradients(y)[x].item();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(slopes == std::vector<double>{1, 4, 12, 32});  // (i + 1)·2^i
  CHECK(tape.records().empty());
}

TEST_CASE("a tape may be freed after others that were made later") {
  const Tensor x = number(2);
  auto first = std::make_unique<Tape>();
  first->watch(x);
  auto second = std::make_unique<Tape>();
  second->watch(x);
  first.reset();
  CHECK(second->gradients(x * x)[x].item() == 4);
}

TEST_CASE("a tensor outlives the tape that recorded it") {
  std::optional<Tensor> y;
  {
    const Tensor x = number(3);
    Tape tape;
    tape.watch(x);
    y = x * x;
  }
  CHECK(y->item() == 9);
  CHECK((*y + *y).item() == 18);
}

TEST_CASE("integers cannot be watched") {
  Tape tape;
  CHECK(error_of([&] { tape.watch(arange(0, 3)); }) == "watch: a tensor of int64 has no derivatives");
}

TEST_CASE("a walk frees the records as it goes") {
  const Tensor x({1000}, std::vector<double>(1000, 1.0));
  Tape tape;
  tape.watch(x);
  Tensor y = x;
  for (int i = 0; i < 10; ++i) y = y * x;
  CHECK(tape.saved_bytes() == 10 * 8000);
  (void)tape.gradients(sum(y));
  CHECK(tape.saved_bytes() == 0);
}

TEST_CASE("gradients of two passes add up") {
  const Tensor x = number(3), unrelated = number(1);
  auto gradients_of = [](const Tensor& of) {
    Tape tape;
    tape.watch(of);
    return tape.gradients(of * of);
  };
  Gradients total = gradients_of(x);
  total += gradients_of(x);
  CHECK(total[x].item() == 12);
  CHECK(error_of([&] { total += gradients_of(unrelated); }).find("of other tensors") != std::string::npos);
}

TEST_CASE("gradcheck finds a wrong derivative of first and of second order") {
  auto wrong_first = [](const std::vector<Tensor>& x) {
    return custom_op("wrong", {x[0]}, x[0] * x[0], {x[0]}, [](const Backward& backward) {
      return std::vector{backward.cotangent() * backward.saved(0)};  // the factor 2 is missing
    });
  };
  auto wrong_second = [](const std::vector<Tensor>& x) {
    return custom_op("wrong", {x[0]}, stop_gradient(x[0]) * stop_gradient(x[0]), {x[0]}, [](const Backward& backward) {
      return std::vector{backward.cotangent() * stop_gradient(backward.saved(0)) * 2.0};
    });
  };
  const std::vector<Tensor> at = {Tensor({2}, {0.5, 1.5})};
  CHECK(error_of([&] { gradcheck(wrong_first, at); }).find("gradcheck: input 0 element 0") != std::string::npos);
  CHECK_NOTHROW(gradcheck(wrong_second, at));
  CHECK(error_of([&] { gradcheck_second_order(wrong_second, at); }).find("gradcheck: input 0") != std::string::npos);
}

TEST_CASE("a tape prints as the program it recorded") {
  const Tensor weight({2}, {1.0, 2.0});
  Tape tape;
  tape.watch(weight, "weight");
  {
    const LayerScope layer("head");
    (void)sum(square(weight));
  }
  CHECK(to_text(tape) ==
        "tape: 1 watched, 2 records, keeps 16 B\n"
        "  %1 = square(weight)  float64 (2,), keeps 16 B  # head\n"
        "  %2 = sum(%1)         float64 ()  # head\n");
  const std::string graph = to_dot(tape);
  CHECK(graph.find("label=\"weight float64 (2,)\"") != std::string::npos);
  CHECK(graph.find("r0 -> r1") != std::string::npos);
}

TEST_CASE("a tape that measures times has an entry for every op since, with the flops of its products and both ways") {
  const Tensor x = ones({64, 32}), weight = ones({16, 32});
  Tape tape;
  tape.watch(weight, "weight");
  const Tensor before = linear(x, weight, Tensor());
  tape.measure_times();
  Tensor loss;
  {
    const LayerScope layer("head");
    loss = sum(linear(x, weight, Tensor()) + before);
  }
  tape.gradients(loss);
  const std::vector<OpTime>& times = tape.times();
  REQUIRE(times.size() == 3);
  CHECK(times[0].op == "linear");
  CHECK(times[0].layer == "head");
  CHECK(times[0].flops == 2.0 * 64 * 16 * 32);
  CHECK(times[0].bytes == 4 * (64 * 32 + 16 * 32 + 64 * 16));
  CHECK(times[1].flops == 0);
  CHECK(times[2].op == "sum");
  for (const OpTime& time : times) {
    CHECK(time.forward_seconds > 0);
    CHECK(time.backward_seconds > 0);
  }
}
