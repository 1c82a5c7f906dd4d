#include <lintel/train/run.hpp>

#include <ostream>

#include <lintel/train/number_text.hpp>
#include <lintel/train/run_report.hpp>

namespace lintel::train {
namespace {

std::int64_t count_parameters(const Task& task) {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : task.parameters()) count += parameter.size();
  return count;
}

}  // namespace

RunOutcome run_training(const RunConfig& config, const TrainerOptions& options) {
  check(config);
  const RunFolder folder(config.out);
  std::optional<RunVocabulary> vocabulary;
  if (options.resume) {
    vocabulary = load_run_vocabulary(folder, config);
  } else {
    require_no_run(folder);
  }
  PreparedRun run = prepare_run(config, std::move(vocabulary));
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
