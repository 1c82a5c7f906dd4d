// A run before its first step: data read, vocabulary built, model made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lintel/train/report.hpp>
#include <lintel/train/run_config.hpp>
#include <lintel/train/run_folder.hpp>
#include <lintel/train/task.hpp>

namespace lintel::train {

/// All that training needs, and what a report tells of the task.
struct PreparedRun {
  RunVocabulary vocabulary;
  std::unique_ptr<Task> task;
  std::string summary;                                   ///< what there is to train on, in a sentence
  std::vector<ReportAccuracy> baselines;                 ///< what a classifier must beat
  std::function<std::vector<ReportExample>()> examples;  ///< what the model, as it is then, makes of a few inputs
};

/// How many validation inputs a report shows with the model's answers.
inline constexpr std::size_t most_examples = 8;

/// Reads the data of `config` and makes the model with its initial weights. `vocabulary` is that of a run that is
/// resumed or started from; without one, it is built from the training data. Throws `Error` for data that cannot be
/// used.
PreparedRun prepare_run(const RunConfig& config, std::optional<RunVocabulary> vocabulary);

/// `prepare_run` for the tasks "classify" and "match".
PreparedRun prepare_classifier(const RunConfig& config, std::optional<RunVocabulary> vocabulary);

/// `prepare_run` for the task "lm".
PreparedRun prepare_language_model(const RunConfig& config, std::optional<RunVocabulary> vocabulary);

/// `prepare_run` for the task "seq2seq".
PreparedRun prepare_seq2seq(const RunConfig& config, std::optional<RunVocabulary> vocabulary);

}  // namespace lintel::train
