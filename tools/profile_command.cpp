// lintel profile: where the time of one training step goes.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include <lintel/tools/bench_limits.hpp>
#include <lintel/tools/bench_model.hpp>
#include <lintel/tools/bench_timing.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/number_text.hpp>

namespace lintel::tools {
namespace {

using Json = nlohmann::ordered_json;

struct ProfileCommand {
  ModelShape shape;
  std::int64_t steps = 5;
  bool by_layer = false, json = false;
};

/// The total of all ops of one name, in one direction.
struct Entry {
  std::string name;
  std::int64_t calls = 0;
  double seconds = 0, flops = 0, bytes = 0;
};

/// Every op of a step in its order, or all of one name as one.
std::string name_of(const OpTime& time, bool by_layer) {
  return by_layer && !time.layer.empty() ? time.layer + " " + time.op : time.op;
}

class Profile {
 public:
  void add(const std::string& name, double seconds, double flops, double bytes) {
    Entry& entry = entries_[name];
    entry.name = name;
    ++entry.calls;
    entry.seconds += seconds;
    entry.flops += flops;
    entry.bytes += bytes;
  }

  /// The entries, slowest first.
  std::vector<Entry> sorted() const {
    std::vector<Entry> result;
    for (const auto& [name, entry] : entries_) result.push_back(entry);
    std::sort(result.begin(), result.end(), [](const Entry& a, const Entry& b) { return a.seconds > b.seconds; });
    return result;
  }

 private:
  std::map<std::string, Entry> entries_;
};

/// The medians of several steps, op by op; the ops of a step are always the same.
Profile profile_of(const std::vector<std::vector<OpTime>>& steps, const std::vector<double>& rest, bool by_layer) {
  Profile profile;
  for (std::size_t i = 0; i < steps.front().size(); ++i) {
    std::vector<double> forward, backward;
    for (const auto& times : steps) {
      forward.push_back(times[i].forward_seconds);
      backward.push_back(times[i].backward_seconds);
    }
    const OpTime& op = steps.front()[i];
    const std::string name = name_of(op, by_layer);
    const auto bytes = static_cast<double>(op.bytes);
    profile.add(name, median(forward), op.flops, bytes);
    profile.add(name + ", backward", median(backward), 2 * op.flops, 2 * bytes);
  }
  profile.add("optimiser and the rest", median(rest), 0, 0);
  return profile;
}

void print_table(const std::vector<Entry>& entries, double peak, double triad) {
  double total = 0;
  std::size_t widest = 4;
  for (const Entry& entry : entries) {
    total += entry.seconds;
    widest = std::max(widest, entry.name.size());
  }
  const auto column = [](const std::string& text) { std::cout << std::right << std::setw(10) << text; };
  std::cout << std::left << std::setw(static_cast<int>(widest)) << "op";
  for (const char* title : {"calls", "ms", "of step", "GFLOP/s", "of peak", "GB/s", "of triad"}) column(title);
  std::cout << "\n";
  for (const Entry& entry : entries) {
    const double gflops = 1e-9 * entry.flops / entry.seconds, gbs = 1e-9 * entry.bytes / entry.seconds;
    std::cout << std::left << std::setw(static_cast<int>(widest)) << entry.name;
    column(std::to_string(entry.calls));
    column(train::fixed_text(1e3 * entry.seconds, 2));
    column(train::percent_text(entry.seconds / total));
    column(entry.flops > 0 ? train::fixed_text(gflops, 1) : "");
    column(entry.flops > 0 ? train::percent_text(gflops / peak) : "");
    column(entry.bytes > 0 ? train::fixed_text(gbs, 1) : "");
    column(entry.bytes > 0 ? train::percent_text(gbs / triad) : "");
    std::cout << "\n";
  }
  std::cout
      << "step: " << train::fixed_text(1e3 * total, 2) << " ms; limits: " << train::fixed_text(peak, 1)
      << " GFLOP/s, triad " << train::fixed_text(triad, 1)
      << " GB/s. Bytes are those of inputs and outputs, once forward and twice backward: caches may make them more "
         "than memory moves.\n";
}

int run_profile(ProfileCommand command) {
  if (command.steps < 1) fail("profile: steps is ", command.steps, ", at least 1 wanted");
  command.shape.forward_only = false;
  use_threads(command.shape.threads);
  const BenchModel model = make_bench_model(command.shape);
  model.step(nullptr);
  model.step(nullptr);
  std::vector<std::vector<OpTime>> steps;
  std::vector<double> rest;
  for (std::int64_t step = 0; step < command.steps; ++step) {
    std::vector<OpTime> times;
    double seconds = seconds_of([&] { model.step(&times); });
    for (const OpTime& time : times) seconds -= time.forward_seconds + time.backward_seconds;
    steps.push_back(std::move(times));
    rest.push_back(seconds);
  }
  const std::vector<Entry> entries = profile_of(steps, rest, command.by_layer).sorted();
  const bool narrow = command.shape.dtype == "bfloat16";
  const double peak = narrow ? multiply_add_gflops<bfloat16>() : multiply_add_gflops<float>();
  const double triad = memory_bandwidth().triad;
  print_table(entries, peak, triad);
  if (command.json) {
    Json json{{narrow ? "bfloat16_gflops" : "float32_gflops", rounded(peak, 1)},
              {"triad_gbs", rounded(triad, 1)},
              {"ops", Json::array()}};
    for (const Entry& entry : entries) {
      json["ops"].push_back({{"op", entry.name},
                             {"calls", entry.calls},
                             {"ms", rounded(1e3 * entry.seconds, 3)},
                             {"flops", entry.flops},
                             {"bytes", entry.bytes}});
    }
    print_json(json);
  }
  return 0;
}

}  // namespace

void add_profile_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<ProfileCommand>();
  CLI::App& profile = *app.add_subcommand("profile", "Show where the time of a training step goes, op by op");
  add_shape_options(profile, command->shape);
  profile.add_option("--steps", command->steps, "steps to take the medians of, after two more")->capture_default_str();
  profile.add_flag("--by-layer", command->by_layer, "every layer by itself");
  add_json_option(profile, command->json);
  profile.callback([command, &action] { action = [command] { return run_profile(*command); }; });
}

}  // namespace lintel::tools
