// The training loop.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lintel/autograd/gradients.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/nn/schedule.hpp>
#include <lintel/train/checkpoint.hpp>
#include <lintel/train/progress.hpp>
#include <lintel/train/run_config.hpp>
#include <lintel/train/run_folder.hpp>
#include <lintel/train/run_log.hpp>
#include <lintel/train/task.hpp>

namespace lintel::train {

/// Why a run ended.
enum class StopReason { finished, stop_at, out_of_time, interrupted };

/// How to go about a run, which its result does not depend on.
struct TrainerOptions {
  bool resume = false;           ///< begin from the checkpoint of the folder, if one was written yet
  std::int64_t stop_at = 0;      ///< stop, with a checkpoint, after this step; 0: no such step
  std::ostream* out = nullptr;   ///< shows progress there, if given
  ProgressOptions display = {};  ///< how to
};

/// What became of a run.
struct TrainResult {
  StopReason reason = StopReason::finished;
  int signal = 0;  ///< that interrupted the run
  RunState state;
  std::int64_t steps = 0;                ///< of the whole run, done or not
  std::optional<Evaluation> validation;  ///< the last one, if any was made
  TokenCount tokens;                     ///< trained on, since the run was started or resumed
  double seconds = 0;                    ///< spent on that, validation and checkpoints aside

  double tokens_per_second() const { return seconds > 0 ? static_cast<double>(tokens.real) / seconds : 0; }
};

/// Trains a task from a run's settings. What a step does is a function of the settings and of the state before it, so
/// a run that is stopped and resumed gives the same bits as one that is not.
class Trainer {
 public:
  /// Writes nothing. Throws `Error` for settings that do not fit each other, or if a checkpoint that is to be resumed
  /// belongs to another model or other data.
  Trainer(Task& task, const RunConfig& config, const RunFolder& folder, const TrainerOptions& options);

  /// Trains to the end of the run or of the step to stop at, until the time is over or the process is asked to stop;
  /// then leaves a checkpoint. Throws `Error` if a loss or gradient is not finite, or if a file cannot be written; the
  /// checkpoint before that stays.
  TrainResult run();

 private:
  struct StepResult {
    double loss = 0, gradient_norm = 0, learning_rate = 0;
    TokenCount tokens;
    double seconds = 0;
  };

  StepResult train_step();
  Gradients accumulate_gradients(const Task::Items& items, double& loss);
  void require_finite(const StepResult& result) const;
  void resume();
  void note(const StepResult& step);
  void show(const std::string& text);
  std::optional<Evaluation> validate();
  void checkpoint(const std::optional<Evaluation>& validation);
  bool validation_due() const;
  std::optional<StopReason> stop_reason(double seconds_of_run, bool interrupted) const;

  Task& task_;
  RunConfig config_;
  RunFolder folder_;
  TrainerOptions options_;
  std::vector<NamedTensor> parameters_;
  nn::AdamW optimiser_;
  std::int64_t steps_;
  nn::Schedule schedule_;
  std::optional<RunLog> log_;
  std::unique_ptr<Progress> progress_;  // null: nothing is shown
  TrainResult result_;
};

/// The number of steps of a run over data that `steps_per_epoch` makes one pass of.
std::int64_t steps_of_run(const RunConfig& config, std::int64_t steps_per_epoch);

/// The learning rates that `config` describes, for a run of `steps`.
nn::Schedule build_schedule(const RunConfig& config, std::int64_t steps);

}  // namespace lintel::train
