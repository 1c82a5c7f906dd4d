// A training run from its settings to its report.
#pragma once

#include <cstdint>

#include <lintel/train/prepared_run.hpp>
#include <lintel/train/run_config.hpp>
#include <lintel/train/trainer.hpp>

namespace lintel::train {

/// What there is to tell of a run that ended.
struct RunOutcome {
  RunFolder folder;
  TrainResult result;
  std::int64_t parameters = 0;
  std::vector<ReportAccuracy> baselines;
};

/// Trains as `config` says, in the folder `config.out`, and leaves there settings, vocabulary, log, weights, a
/// checkpoint and a report. With `options.resume`, continues the run of that folder. Nothing is written before the data
/// was read and the model built. Throws `Error` as everything that it uses does.
RunOutcome run_training(const RunConfig& config, const TrainerOptions& options);

}  // namespace lintel::train
