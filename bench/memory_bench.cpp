// Ops that do little with much data: bytes per second beyond the caches, and what share of a copy or a triad that is.
//
// A limit is measured before and after every round of an op, on as many threads: bandwidth changes with what else the
// machine does, the ratio much less. Copy is memcpy in blocks of 256 KiB, triad a = b + 3·c; an op that reads one array
// and writes one is held against the copy, others against the triad. Bytes are those of the arrays that an op must read
// or write once. Run `memory_bench --benchmark_filter=norm.*threads:2` for a part of it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/nn/clip.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/layer_norm.hpp>
#include <lintel/ops/rms_norm.hpp>
#include <lintel/ops/softmax.hpp>

using namespace lintel;

namespace {

constexpr std::int64_t rows = 1 << 16, columns = 1024;  // 256 MiB an array: beyond the caches of most machines
constexpr std::int64_t elements = rows * columns;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double seconds_of(const std::function<void()>& work) {
  const double begin = now();
  work();
  return now() - begin;
}

enum class Limit { copy, triad };

/// Bytes per second of the limit.
double bandwidth(Limit limit) {
  static const Tensor first = ones({rows, columns}), second = ones({rows, columns}), third = ones({rows, columns});
  const float *a = first.data<float>(), *b = second.data<float>();
  float* c = write<float>(third, "bench");
  const double seconds = seconds_of([&] {
    parallel_blocks(elements, 1 << 16, 1, [&](std::int64_t begin, std::int64_t end) {
      if (limit == Limit::copy) {
        std::memcpy(c + begin, a + begin, static_cast<std::size_t>(end - begin) * sizeof(float));
      } else {
        for (std::int64_t i = begin; i < end; ++i) c[i] = a[i] + 3 * b[i];
      }
    });
  });
  return (limit == Limit::copy ? 8.0 : 12.0) * static_cast<double>(elements) / seconds;
}

double median(std::vector<double>& numbers) {
  std::nth_element(numbers.begin(), numbers.begin() + numbers.size() / 2, numbers.end());
  return numbers[numbers.size() / 2];
}

struct Case {
  std::string name;
  double arrays;  ///< read or written once
  Limit limit;
  /// Prepares the inputs, and returns what is to be timed.
  std::function<std::function<void()>()> prepare;
};

Tensor random_array() {
  Rng rng(1);
  return uniform({rows, columns}, -2, 2, rng);
}

/// Times the value of `f` at one array.
std::function<std::function<void()>()> value_of(std::function<Tensor(const Tensor&)> f) {
  return [f] {
    const Tensor x = random_array();
    return [f, x] { benchmark::DoNotOptimize(f(x)); };
  };
}

/// Times the backward pass of `f` with respect to one array, and to `parameters` if there are any.
std::function<std::function<void()>()> gradient_of(std::function<Tensor(const Tensor&)> f,
                                                   std::vector<Tensor> parameters = {}) {
  return [f, parameters] {
    struct Pass {
      Tensor x = random_array(), seed = random_array(), y;
      Tape tape;
    };
    const auto pass = std::make_shared<Pass>();
    std::vector<Tensor> wrt{pass->x};
    wrt.insert(wrt.end(), parameters.begin(), parameters.end());
    for (const Tensor& each : wrt) pass->tape.watch(each);
    pass->y = f(pass->x);
    return [pass, wrt] {
      benchmark::DoNotOptimize(pass->tape.gradients(pass->y, wrt, {.seeds = {pass->seed}, .keep = true}));
    };
  };
}

/// Times a step of AdamW over `count` parameters that are an array together.
std::function<std::function<void()>()> adamw_step(std::int64_t count) {
  return [count] {
    std::vector<NamedTensor> parameters;
    const auto gradients = std::make_shared<Gradients>();
    for (std::int64_t i = 0; i < count; ++i) {
      parameters.push_back({"p" + std::to_string(i), ones({elements / count})});
      gradients->set(parameters.back().tensor, full({elements / count}, 0.1));
    }
    const auto optimiser = std::make_shared<nn::AdamW>(parameters, nn::AdamWOptions{.weight_decay = 0.1});
    return [optimiser, gradients] { optimiser->step(*gradients, 1e-3); };
  };
}

std::function<void()> norm_of_gradients() {
  Gradients gradients;
  const Tensor parameter = ones({elements});
  gradients.set(parameter, full({elements}, 0.1));
  return [gradients] { benchmark::DoNotOptimize(nn::global_norm(gradients)); };
}

std::function<void()> product_of_two_arrays() {
  const Tensor a = random_array(), b = random_array();
  return [a, b] { benchmark::DoNotOptimize(a * b); };
}

std::vector<Case> cases() {
  const Tensor weight = ones({columns}), bias = zeros({columns});
  const auto layer = [=](const Tensor& x) { return layer_norm(x, weight, bias, 1e-5); };
  const auto rms = [=](const Tensor& x) { return rms_norm(x, weight, 1e-5); };
  return {
      {"scale", 2, Limit::copy, value_of([](const Tensor& x) { return x * 3.0; })},
      {"multiply", 3, Limit::triad, product_of_two_arrays},
      {"relu", 2, Limit::copy, value_of([](const Tensor& x) { return relu(x); })},
      {"exp", 2, Limit::copy, value_of([](const Tensor& x) { return exp(x); })},
      {"sigmoid", 2, Limit::copy, value_of([](const Tensor& x) { return sigmoid(x); })},
      {"tanh", 2, Limit::copy, value_of([](const Tensor& x) { return tanh(x); })},
      {"softplus", 2, Limit::copy, value_of([](const Tensor& x) { return softplus(x); })},
      {"gelu", 2, Limit::copy, value_of([](const Tensor& x) { return gelu(x); })},
      {"gelu backward", 3, Limit::triad, gradient_of([](const Tensor& x) { return gelu(x); })},
      {"layer_norm", 2, Limit::copy, value_of(layer)},
      {"layer_norm backward", 3, Limit::triad, gradient_of(layer, {weight, bias})},
      {"rms_norm", 2, Limit::copy, value_of(rms)},
      {"rms_norm backward", 3, Limit::triad, gradient_of(rms, {weight})},
      {"softmax", 2, Limit::copy, value_of([](const Tensor& x) { return softmax(x); })},
      {"softmax backward", 3, Limit::triad, gradient_of([](const Tensor& x) { return softmax(x); })},
      {"log_softmax", 2, Limit::copy, value_of([](const Tensor& x) { return log_softmax(x); })},
      {"log_softmax backward", 3, Limit::triad, gradient_of([](const Tensor& x) { return log_softmax(x); })},
      {"AdamW, one tensor", 7, Limit::triad, adamw_step(1)},
      {"AdamW, 1024 tensors", 7, Limit::triad, adamw_step(1024)},
      {"norm of gradients", 1, Limit::triad, norm_of_gradients},
  };
}

void run(benchmark::State& state, const Case& measured, int thread_count) {
  set_threads(thread_count);
  const std::function<void()> work = measured.prepare();
  const double bytes = measured.arrays * sizeof(float) * static_cast<double>(elements);
  std::vector<double> speeds, shares;
  work();
  bandwidth(measured.limit);
  for (auto _ : state) {
    const double before = bandwidth(measured.limit), seconds = seconds_of(work), after = bandwidth(measured.limit);
    state.SetIterationTime(seconds);
    speeds.push_back(1e-9 * bytes / seconds);
    shares.push_back(bytes / seconds / (0.5 * (before + after)));
  }
  state.counters["GB/s"] = median(speeds);
  state.counters[measured.limit == Limit::copy ? "share_of_copy" : "share_of_triad"] = median(shares);
}

const bool registered = [] {
  for (const int thread_count : {1, 2}) {
    for (const Case& each : cases()) {
      benchmark::RegisterBenchmark((each.name + "/threads:" + std::to_string(thread_count)).c_str(),
                                   [=](benchmark::State& state) { run(state, each, thread_count); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
