// lintel bench attention: what attention costs by itself, from queries, keys and values to what the heads found.
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/isa.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/nn/feature_maps.hpp>
#include <lintel/nn/parameters.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/softmax_attention.hpp>
#include <lintel/tools/bench_attention.hpp>
#include <lintel/tools/bench_limits.hpp>
#include <lintel/tools/bench_model.hpp>
#include <lintel/tools/bench_timing.hpp>
#include <lintel/train/peak_memory.hpp>

namespace lintel::tools {
namespace {

struct AttentionCommand {
  std::string feature_map = "glu";
  int kernel_layers = 1;
  std::int64_t length = 4000, batch = 4, heads = 4, head_dim = 64, threads = 0, repetitions = 9;
  bool causal = false, forward_only = false;
};

/// Attention with inputs that a tape watches: q, k, v (batch·length, heads, head_dim) and the map's parameters.
class Attention {
 public:
  explicit Attention(const AttentionCommand& c)
      : command_(c), sequences_(Sequences::padded(c.batch, c.length)), q_(input(1)), k_(input(2)), v_(input(3)) {
    if (c.feature_map == "softmax") return;
    Rng rng(4);
    map_.emplace(c.heads, c.head_dim, rng, nn::FeatureMapOptions{.kind = c.feature_map, .layers = c.kernel_layers});
  }

  /// Forward, and backward from a cotangent of ones unless only forward is wanted. Where `times` is given, a tape
  /// leaves there how long each op took.
  void run(std::vector<OpTime>* times) const {
    if (command_.forward_only && times == nullptr) {
      attend();
      return;
    }
    Tape tape;
    for (const Tensor& x : {q_, k_, v_}) tape.watch(x);
    if (map_) tape.watch(*map_);
    if (times != nullptr) tape.measure_times();
    const Tensor found = attend();
    if (!command_.forward_only) tape.gradients({found}, tape.watched(), {.seeds = {ones_}});
    if (times != nullptr) *times = tape.times();
  }

 private:
  Tensor input(std::uint64_t seed) const {
    Rng rng(seed);
    return normal({command_.batch * command_.length, command_.heads, command_.head_dim}, 0, 1, rng);
  }

  Tensor attend() const {
    if (!map_) return softmax_attention(q_, k_, v_, sequences_, sequences_, {.causal = command_.causal});
    const bool either_sign = command_.feature_map == "identity";
    const KernelAttentionOptions options{.causal = command_.causal,
                                         .normaliser = either_sign ? KernelNormaliser::sqrt_n : KernelNormaliser::sum};
    return kernel_attention(q_, k_, v_, sequences_, sequences_, options, map_->stack(), map_->key_stack());
  }

  AttentionCommand command_;
  Sequences sequences_;
  Tensor q_, k_, v_, ones_ = ones(v_.shape());
  std::optional<nn::FeatureMap> map_;
};

void check(const AttentionCommand& c) {
  const auto check_positive = [](const char* name, std::int64_t value) {
    if (value < 1) fail("bench: ", name, " is ", value, ", at least 1 wanted");
  };
  check_positive("length", c.length);
  check_positive("batch", c.batch);
  check_positive("heads", c.heads);
  check_positive("head-dim", c.head_dim);
  check_positive("repetitions", c.repetitions);
}

int run(const AttentionCommand& command) {
  check(command);
  use_threads(command.threads);
  const Attention attention(command);
  std::vector<OpTime> times;
  attention.run(&times);
  std::vector<double> milliseconds, peaks;
  for (std::int64_t i = 0; i < command.repetitions; ++i) {
    milliseconds.push_back(1e3 * seconds_of([&] { attention.run(nullptr); }));
    peaks.push_back(multiply_add_gflops<float>());
  }
  const double ms = median(milliseconds);
  nlohmann::ordered_json json{{"feature_map", command.feature_map},
                              {"kernel_layers", command.kernel_layers},
                              {"length", command.length},
                              {"batch", command.batch},
                              {"heads", command.heads},
                              {"head_dim", command.head_dim},
                              {"causal", command.causal},
                              {"forward_only", command.forward_only},
                              {"threads", threads()},
                              {"isa", isa_name(active_isa())},
                              {"ms_median", rounded(ms, 3)},
                              {"peak_rss_mib", train::peak_resident_bytes() >> 20}};
  add_shares(json, flops_of(times, command.forward_only), ms, median(peaks));
  print_json(json);
  return 0;
}

}  // namespace

void add_bench_attention(CLI::App& bench, Action& action) {
  auto command = std::make_shared<AttentionCommand>();
  CLI::App& attention = *bench.add_subcommand("attention", "Attention alone: queries, keys and values given");
  attention.add_option("--feature-map", command->feature_map, "of kernel attention, or softmax")->capture_default_str();
  add_kernel_layers_option(attention, command->kernel_layers);
  attention.add_option("--length", command->length, "tokens of a sequence")->capture_default_str();
  attention.add_option("--batch", command->batch, "sequences")->capture_default_str();
  attention.add_option("--heads", command->heads, "heads")->capture_default_str();
  attention.add_option("--head-dim", command->head_dim, "numbers of a head's query, key or value")
      ->capture_default_str();
  attention.add_option("--repetitions", command->repetitions, "runs to take the median of, after one more")
      ->capture_default_str();
  attention.add_flag("--causal", command->causal, "a token sees itself and those before it");
  attention.add_flag("--forward-only", command->forward_only, "no backward pass");
  add_threads_option(attention, command->threads);
  attention.callback([command, &action] { action = [command] { return run(*command); }; });
}

}  // namespace lintel::tools
