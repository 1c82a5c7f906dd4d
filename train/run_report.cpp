#include <lintel/train/run_report.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include <lintel/train/number_text.hpp>
#include <lintel/train/run_log.hpp>

namespace lintel::train {
namespace {

std::vector<CurvePoint> curve(const std::vector<nlohmann::ordered_json>& log, const char* name) {
  std::vector<CurvePoint> points;
  for (const auto& record : log) {
    if (!record.contains(name) || !record[name].is_number()) continue;
    points.push_back({record.value("step", std::int64_t{0}), record[name].get<double>()});
  }
  return points;
}

std::vector<ReportItem> items_of(const RunConfig& config) {
  std::vector<ReportItem> items;
  const nlohmann::ordered_json json = to_json(config);
  for (const auto& [name, value] : json.items()) {
    items.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
  }
  return items;
}

std::vector<ReportItem> figures_of(const RunOutcome& outcome) {
  const TrainResult& result = outcome.result;
  std::vector<ReportItem> figures;
  if (const auto& best = result.state.best) {
    if (best->accuracy) figures.push_back({"best validation accuracy", percent_text(*best->accuracy)});
    figures.push_back({best->accuracy ? "its loss" : "best validation loss", fixed_text(best->loss, 4)});
    figures.push_back({"after step", grouped_text(result.state.best_step)});
  }
  figures.push_back({"steps", grouped_text(result.state.step) + " of " + grouped_text(result.steps)});
  figures.push_back({"parameters", grouped_text(outcome.parameters)});
  if (result.seconds > 0) figures.push_back({"tokens/s", short_count_text(result.tokens_per_second())});
  return figures;
}

std::vector<ReportAccuracy> accuracies_of(const RunOutcome& outcome) {
  const auto& best = outcome.result.state.best;
  if (!best || !best->accuracy) return {};
  std::vector<ReportAccuracy> accuracies = outcome.baselines;
  accuracies.push_back({"this model", *best->accuracy, false});
  std::stable_sort(accuracies.begin(), accuracies.end(),
                   [](const auto& a, const auto& b) { return a.accuracy > b.accuracy; });
  return accuracies;
}

/// How a report speaks of a task.
struct TaskWords {
  const char *model, *loss_unit, *input, *expected, *predicted;
};

TaskWords words_of(const std::string& task) {
  if (task == "lm") return {"A language model", "nats per byte", "text", "", "the model goes on"};
  if (task == "seq2seq") return {"An encoder–decoder model", "nats per token", "source", "target", "model"};
  return {task == "match" ? "A dual encoder" : "A classifier", "nats", "input", "label", "model"};
}

}  // namespace

RunReport report_of_run(const RunConfig& config, const PreparedRun& run, const RunOutcome& outcome) {
  const TaskWords words = words_of(config.task);
  const auto log = read_run_log(outcome.folder.log());
  RunReport report;
  report.title = outcome.folder.root().filename().string();
  if (report.title.empty()) report.title = outcome.folder.root().string();
  report.summary =
      std::string(words.model) + " with " + config.attention + " attention, trained on " + run.summary + ".";
  report.figures = figures_of(outcome);
  report.training_loss = curve(log, "loss");
  report.validation_loss = curve(log, "validation_loss");
  report.validation_accuracy = curve(log, "validation_accuracy");
  report.loss_unit = words.loss_unit;
  report.accuracies = accuracies_of(outcome);
  report.examples = run.examples();
  report.input_header = words.input;
  report.expected_header = words.expected;
  report.predicted_header = words.predicted;
  report.config = items_of(config);
  return report;
}

}  // namespace lintel::train
