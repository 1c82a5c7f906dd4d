#include <lintel/train/run.hpp>

#include <ostream>

#include <lintel/core/error.hpp>
#include <lintel/train/checkpoint.hpp>
#include <lintel/train/number_text.hpp>
#include <lintel/train/run_report.hpp>
#include <lintel/train/trained_run.hpp>

namespace lintel::train {
namespace {

std::int64_t count_parameters(const Task& task) {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : task.parameters()) count += parameter.size();
  return count;
}

/// The run that `config` starts from. Throws `Error` if that is none, or one that reads or answers otherwise.
TrainedRun run_to_start_from(const RunConfig& config) {
  TrainedRun start = open_run(config.start_from);
  const auto require_same = [&](const char* setting, const std::string& there, const std::string& here) {
    if (there != here) fail("start_from: ", setting, " is ", there, " in the run ", config.start_from, ", not ", here);
  };
  require_same("task", start.config.task, config.task);
  require_same("tokeniser", start.config.tokeniser, config.tokeniser);
  require_same("target_tokeniser", start.config.target_tokeniser, config.target_tokeniser);
  return start;
}

}  // namespace

RunOutcome run_training(const RunConfig& config, const TrainerOptions& options) {
  check(config);
  const RunFolder folder(config.out);
  std::optional<RunVocabulary> vocabulary;
  std::optional<TrainedRun> start;
  if (options.resume) {
    vocabulary = load_run_vocabulary(folder, config);
  } else {
    require_no_run(folder);
    if (!config.start_from.empty()) start = run_to_start_from(config);
    if (start) vocabulary = start->vocabulary;
  }
  PreparedRun run = prepare_run(config, std::move(vocabulary));
  if (start) load_weights(start->folder.weights("best"), run.task->parameters());
  RunOutcome outcome{folder, {}, count_parameters(*run.task), run.baselines};
  if (options.out != nullptr) {
    *options.out << run.summary << "\n" << grouped_text(outcome.parameters) << " parameters" << std::endl;
  }
  Trainer trainer(*run.task, config, folder, options);
  save_run(folder, config, run.vocabulary);
  outcome.result = trainer.run();
  write_report(folder.report(), report_of_run(config, run, outcome));
  return outcome;
}

}  // namespace lintel::train
