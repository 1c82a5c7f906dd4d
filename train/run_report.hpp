// What a run's report says.
#pragma once

#include <lintel/train/report.hpp>
#include <lintel/train/run.hpp>

namespace lintel::train {

/// The report of a run that ended: its curves from the log, its figures and settings, and examples answered by the
/// model as it is now.
RunReport report_of_run(const RunConfig& config, const PreparedRun& run, const RunOutcome& outcome);

}  // namespace lintel::train
