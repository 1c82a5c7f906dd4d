// lintel bench: the limits of this machine, and how close Lintel comes.
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include <lintel/core/bfloat16_unit.hpp>
#include <lintel/core/isa.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/core/tensor.hpp>
#include <lintel/ops/gemm.hpp>
#include <lintel/tools/bench_attention.hpp>
#include <lintel/tools/bench_generate.hpp>
#include <lintel/tools/bench_limits.hpp>
#include <lintel/tools/bench_model.hpp>
#include <lintel/tools/bench_timing.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/peak_memory.hpp>

namespace lintel::tools {
namespace {

using Json = nlohmann::ordered_json;

// ---- limits ----

int run_limits() {
  const double float32 = multiply_add_gflops<float>();
  const double bfloat16_peak = multiply_add_gflops<bfloat16>();
  const Bandwidth bandwidth = memory_bandwidth();
  print_json({{"threads", threads()},
              {"isa", isa_name(active_isa())},
              {"bfloat16_unit", bfloat16_unit_name(active_bfloat16_unit())},
              {"float32_gflops", rounded(float32, 1)},
              {"bfloat16_gflops", rounded(bfloat16_peak, 1)},
              {"read_gbs", rounded(bandwidth.read, 1)},
              {"copy_gbs", rounded(bandwidth.copy, 1)},
              {"triad_gbs", rounded(bandwidth.triad, 1)}});
  return 0;
}

// ---- matmul ----

struct MatmulCommand {
  std::int64_t m = 1024, n = 1024, k = 1024, batch = 1, threads = 0, repetitions = 15;
  bool transpose_a = false, transpose_b = false;
  std::string dtype = "float32";
};

template <class T>
int run_matmul(const MatmulCommand& c) {
  if (c.m < 1 || c.n < 1 || c.k < 1 || c.batch < 1 || c.repetitions < 1) {
    fail("bench: m, n, k, batch and repetitions are ", c.m, ", ", c.n, ", ", c.k, ", ", c.batch, " and ", c.repetitions,
         ", at least 1 each wanted");
  }
  const Tensor a = ones({c.batch * c.m * c.k}, dtype_of<T>()), b = ones({c.batch * c.k * c.n}, dtype_of<T>());
  using Sum = gemm_sum_type<T>;
  const Tensor result = ones({c.batch * c.m * c.n}, dtype_of<Sum>());
  const GemmBatch batch{.outer = c.batch, .a_outer = c.m * c.k, .b_outer = c.k * c.n, .c_outer = c.m * c.n};
  const GemmOperand<T> left{a.data<T>(), c.transpose_a ? c.m : c.k, c.transpose_a};
  const GemmOperand<T> right{b.data<T>(), c.transpose_b ? c.k : c.n, c.transpose_b};
  Sum* const target = write<Sum>(result, "bench");
  const auto product = [&] { gemm_batched<T>(batch, c.m, c.n, c.k, 1, left, right, target, c.n); };
  const double operations = 2 * static_cast<double>(c.batch * c.m * c.n) * static_cast<double>(c.k);
  const auto calls = static_cast<int>(std::clamp(1e9 / operations, 1.0, 10000.0));  // a round of at least a millisecond
  product();
  std::vector<double> speeds, shares;
  for (std::int64_t round = 0; round < c.repetitions; ++round) {
    const double before = multiply_add_gflops<T>();
    product();
    const double seconds = seconds_of([&] {
      for (int call = 0; call < calls; ++call) product();
    });
    speeds.push_back(1e-9 * operations * calls / seconds);
    shares.push_back(speeds.back() / (0.5 * (before + multiply_add_gflops<T>())));
  }
  print_json({{"m", c.m},
              {"n", c.n},
              {"k", c.k},
              {"batch", c.batch},
              {"transpose_a", c.transpose_a},
              {"transpose_b", c.transpose_b},
              {"dtype", c.dtype},
              {"threads", threads()},
              {"isa", isa_name(active_isa())},
              {"bfloat16_unit", bfloat16_unit_name(active_bfloat16_unit())},
              {"ms_median", rounded(1e-6 * operations / median(speeds), 6)},
              {"peak_rss_mib", train::peak_resident_bytes() >> 20},
              {"gflops_median", rounded(median(speeds), 1)},
              {"gflops_max", rounded(*std::max_element(speeds.begin(), speeds.end()), 1)},
              {"share_of_peak", rounded(median(shares), 3)}});
  return 0;
}

// ---- step ----

struct StepCommand {
  ModelShape shape;
  std::int64_t steps = 5, warm_up = 2;
};

/// How often the peak is measured between the steps, which may be far shorter than that takes.
constexpr std::int64_t most_peaks = 32;

int run_step(const StepCommand& command) {
  const ModelShape& shape = command.shape;
  if (command.steps < 1) fail("bench: steps is ", command.steps, ", at least 1 wanted");
  if (command.warm_up < 0) fail("bench: warm-up is ", command.warm_up, ", 0 or more wanted");
  use_threads(shape.threads);
  const BenchModel model = make_bench_model(shape);
  std::vector<OpTime> times;
  std::vector<double> milliseconds, peaks, losses;
  const std::int64_t steps_between_peaks = (command.steps + most_peaks - 1) / most_peaks;
  for (std::int64_t step = 0; step < command.warm_up + command.steps; ++step) {
    const bool counts = step == 0 && !shape.forward_only;
    const double seconds = seconds_of([&] { losses.push_back(model.step(counts ? &times : nullptr)); });
    if (step < command.warm_up) continue;
    milliseconds.push_back(1e3 * seconds);
    if ((step - command.warm_up) % steps_between_peaks != 0) continue;
    peaks.push_back(shape.dtype == "bfloat16" ? multiply_add_gflops<bfloat16>() : multiply_add_gflops<float>());
  }
  const std::int64_t peak_bytes = train::peak_resident_bytes();
  if (shape.forward_only) model.step(&times);  // counting records, and what is recorded must not count as memory
  const Flops flops = flops_of(times, shape.forward_only);
  const double ms = median(milliseconds);
  Json json{{"attention", shape.attention},
            {"kernel_layers", shape.kernel_layers},
            {"positions", shape.positions},
            {"feed_forward", shape.feed_forward},
            {"task", shape.task},
            {"length", shape.length},
            {"batch", shape.batch},
            {"threads", threads()},
            {"isa", isa_name(active_isa())},
            {"dtype", shape.dtype},
            {"bfloat16_unit", bfloat16_unit_name(active_bfloat16_unit())},
            {"forward_only", shape.forward_only},
            {"checkpoint", shape.checkpoint},
            {"ms_median", rounded(ms, 3)},
            {"ms_min", rounded(*std::min_element(milliseconds.begin(), milliseconds.end()), 3)},
            {"tokens_per_s", rounded(static_cast<double>(shape.batch * shape.length) / ms * 1e3, 0)},
            {"parameters", model.parameters},
            {"peak_rss_mib", peak_bytes >> 20},
            {"loss", losses.back()},
            {"losses", losses}};
  add_shares(json, flops, ms, median(peaks));
  print_json(json);
  return 0;
}

void add_limits(CLI::App& bench, Action& action) {
  auto count = std::make_shared<std::int64_t>(0);
  CLI::App& limits = *bench.add_subcommand("limits", "Multiply-adds and memory bandwidth of this machine");
  add_threads_option(limits, *count);
  limits.callback([count, &action] {
    action = [count] {
      use_threads(*count);
      return run_limits();
    };
  });
}

void add_matmul(CLI::App& bench, Action& action) {
  auto command = std::make_shared<MatmulCommand>();
  CLI::App& matmul = *bench.add_subcommand("matmul", "One matrix product, beside the peak measured in between");
  matmul.add_option("--m", command->m, "rows of the result")->capture_default_str();
  matmul.add_option("--n", command->n, "columns of the result")->capture_default_str();
  matmul.add_option("--k", command->k, "inner size")->capture_default_str();
  matmul.add_option("--batch", command->batch, "products")->capture_default_str();
  matmul.add_option("--repetitions", command->repetitions, "rounds to take the median of")->capture_default_str();
  matmul.add_flag("--transpose-a", command->transpose_a, "A is stored as its transpose (k, m)");
  matmul.add_flag("--transpose-b", command->transpose_b, "B is stored as its transpose (n, k)");
  matmul.add_option("--dtype", command->dtype, "of the operands; of bfloat16 the result is float32")
      ->check(CLI::IsMember({"float32", "float64", "bfloat16"}))
      ->capture_default_str();
  add_threads_option(matmul, command->threads);
  matmul.callback([command, &action] {
    action = [command] {
      use_threads(command->threads);
      if (command->dtype == "bfloat16") return run_matmul<bfloat16>(*command);
      return command->dtype == "float64" ? run_matmul<double>(*command) : run_matmul<float>(*command);
    };
  });
}

void add_step(CLI::App& bench, Action& action) {
  auto command = std::make_shared<StepCommand>();
  CLI::App& step = *bench.add_subcommand("step", "One training step of a Transformer");
  add_shape_options(step, command->shape);
  step.add_option("--steps", command->steps, "steps to take the median of")->capture_default_str();
  step.add_option("--warm-up", command->warm_up, "steps before them")->capture_default_str();
  step.callback([command, &action] { action = [command] { return run_step(*command); }; });
}

}  // namespace

Flops flops_of(const std::vector<OpTime>& times, bool forward_only) {
  Flops flops;
  for (const OpTime& time : times) {
    flops.once += (forward_only ? 1 : 3) * time.flops;
    if (!forward_only) flops.recomputed += time.recomputed_flops;
  }
  return flops;
}

void add_shares(Json& json, const Flops& flops, double milliseconds, double peak_gflops) {
  const double possible = 1e6 * milliseconds * peak_gflops;
  json["flops"] = flops.once;
  json["flops_recomputed"] = flops.recomputed;
  json["share_of_peak"] = rounded(flops.once / possible, 3);
  json["share_of_peak_with_recomputed"] = rounded((flops.once + flops.recomputed) / possible, 3);
}

double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

void add_bench_command(CLI::App& app, Action& action) {
  CLI::App& bench = *app.add_subcommand("bench", "Measure; every measurement prints one JSON object as its last line");
  bench.require_subcommand(1);
  add_limits(bench, action);
  add_matmul(bench, action);
  add_step(bench, action);
  add_bench_attention(bench, action);
  add_bench_generate(bench, action);
}

}  // namespace lintel::tools
