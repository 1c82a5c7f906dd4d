// lintel train: from data to a run folder.
#include <unistd.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <lintel/core/error.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/tools/setting_options.hpp>
#include <lintel/train/number_text.hpp>
#include <lintel/train/peak_memory.hpp>
#include <lintel/train/run.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;
using Json = nlohmann::ordered_json;

struct TrainCommand {
  std::string config_file, resume;
  std::int64_t stop_at = 0;
  bool json = false, quiet = false;
  std::unique_ptr<SettingOptions> settings;
};

RunConfig resolve_new_run(const TrainCommand& command) {
  RunConfig config;
  if (!command.config_file.empty()) merge_file(config, command.config_file);
  command.settings->override_in(config);
  return config;
}

RunConfig resolve_resumed_run(const TrainCommand& command) {
  if (!command.config_file.empty()) fail("train: --resume and --config exclude each other: the run has its settings");
  if (command.settings->given("out")) fail("train: --resume and --out exclude each other: the run stays in its folder");
  RunConfig original = load_run_config(RunFolder(command.resume));
  original.out = command.resume;
  RunConfig wanted = original;
  command.settings->override_in(wanted);
  check_resumable(original, wanted);
  return wanted;
}

double ratio(std::int64_t padded, std::int64_t real) {
  return real > 0 ? static_cast<double>(padded) / static_cast<double>(real) : 1;
}

const char* reason_text(StopReason reason) {
  switch (reason) {
    case StopReason::finished:
      return "finished";
    case StopReason::stop_at:
      return "stopped as asked";
    case StopReason::out_of_time:
      return "out of time";
    case StopReason::interrupted:
      break;
  }
  return "interrupted";
}

void print_outcome(const RunConfig& config, const RunOutcome& outcome) {
  const TrainResult& result = outcome.result;
  std::cout << reason_text(result.reason) << ": " << grouped_text(result.state.step) << " of "
            << grouped_text(result.steps) << " steps\n";
  if (result.validation) std::cout << "validation: " << text_of(*result.validation) << "\n";
  if (result.state.best) {
    std::cout << "best: " << text_of(*result.state.best) << ", after step " << grouped_text(result.state.best_step)
              << "\n";
  }
  for (const ReportAccuracy& baseline : outcome.baselines) {
    std::cout << "to compare: accuracy " << percent_text(baseline.accuracy) << " of the " << baseline.name << "\n";
  }
  std::cout << "speed: " << short_count_text(result.tokens_per_second()) << " tokens/s, peak memory "
            << fixed_text(static_cast<double>(peak_resident_bytes()) / (1 << 20), 0) << " MiB\n";
  if (config.task != "lm") {
    const TokenCount& tokens = result.tokens;
    std::cout << "padding would have cost " << fixed_text(ratio(tokens.padded_to_longest, tokens.real), 2)
              << " times the tokens (to the longest of each batch), "
              << fixed_text(ratio(tokens.padded_to_limit, tokens.real), 2) << " times (to max_length)\n";
  }
  std::cout << "run: " << outcome.folder.root().string() << " (see " << outcome.folder.report().string() << ")\n";
  if (result.reason != StopReason::finished) {
    std::cout << "go on with: lintel train --resume " << outcome.folder.root().string() << "\n";
  }
}

Json json_of_outcome(const RunOutcome& outcome) {
  const TrainResult& result = outcome.result;
  Json json = {{"run", outcome.folder.root().string()},
               {"reason", reason_text(result.reason)},
               {"step", result.state.step},
               {"steps", result.steps},
               {"parameters", outcome.parameters}};
  if (result.validation) json["validation"] = to_json(*result.validation);
  if (result.state.best) {
    json["best"] = to_json(*result.state.best);
    json["best"]["step"] = result.state.best_step;
  }
  for (const ReportAccuracy& baseline : outcome.baselines) json["baselines"][baseline.name] = baseline.accuracy;
  json["seconds"] = result.seconds;
  json["tokens"] = result.tokens.real;
  json["tokens_per_second"] = result.tokens_per_second();
  json["padded_to_longest"] = ratio(result.tokens.padded_to_longest, result.tokens.real);
  json["padded_to_max_length"] = ratio(result.tokens.padded_to_limit, result.tokens.real);
  json["peak_rss_bytes"] = peak_resident_bytes();
  return json;
}

int run_train(const TrainCommand& command) {
  const RunConfig config = command.resume.empty() ? resolve_new_run(command) : resolve_resumed_run(command);
  if (command.stop_at < 0) fail("train: --stop-at is a step from 1, got ", command.stop_at);
  use_threads(config.threads);
  TrainerOptions options;
  options.resume = !command.resume.empty();
  options.stop_at = command.stop_at;
  options.out = command.quiet ? nullptr : &std::cerr;
  options.display.terminal = is_terminal(STDERR_FILENO);
  options.display.width = terminal_width(STDERR_FILENO);
  const RunOutcome outcome = run_training(config, options);
  print_outcome(config, outcome);
  if (command.json) print_json(json_of_outcome(outcome));
  return outcome.result.reason == StopReason::interrupted ? 128 + outcome.result.signal : 0;
}

}  // namespace

void add_train_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<TrainCommand>();
  CLI::App& train = *app.add_subcommand("train", "Train a model; see examples/ for settings that work");
  train.add_option("--config", command->config_file,
                   "JSON file of settings, named as the options; options go before it");
  train.add_option("--resume", command->resume,
                   "folder of a run to continue, to the same bits as if it had not stopped");
  train.add_option("--stop-at", command->stop_at,
                   "stop after this step, with a checkpoint; the schedule spans all steps");
  train.add_flag("--quiet", command->quiet, "show no progress");
  add_json_option(train, command->json);
  command->settings = std::make_unique<SettingOptions>(train);
  train.callback([command, &action] { action = [command] { return run_train(*command); }; });
}

}  // namespace lintel::tools
