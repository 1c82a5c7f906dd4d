// The page that a run leaves behind.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lintel/train/chart.hpp>

namespace lintel::train {

/// A name and its value, as text.
struct ReportItem {
  std::string name;
  std::string value;
};

/// An accuracy from 0 to 1, drawn as a bar; baselines are drawn pale, and as dashed lines in the accuracy chart.
struct ReportAccuracy {
  std::string name;
  double accuracy;
  bool baseline = true;
};

/// What the model made of one input.
struct ReportExample {
  std::string input;
  std::string expected;
  std::string predicted;
  double confidence = -1;  ///< from 0 to 1; negative if not known
};

/// All that a page shows. What is empty is left out of it.
struct RunReport {
  std::string title = {};                ///< "ListOps, short"
  std::string summary = {};              ///< a sentence or two below it
  std::vector<ReportItem> figures = {};  ///< the few numbers to see first
  std::vector<CurvePoint> training_loss = {};
  std::vector<CurvePoint> validation_loss = {};
  std::vector<CurvePoint> validation_accuracy = {};  ///< from 0 to 1
  std::string loss_unit = "nats";
  std::vector<ReportAccuracy> accuracies = {};  ///< the model's and the baselines', best first
  std::vector<ReportExample> examples = {};
  std::string input_header = "input";
  std::string expected_header = "label";  ///< empty: the examples have nothing to compare with
  std::string predicted_header = "model";
  std::vector<ReportItem> config = {};
};

/// The report as one HTML page: no script, nothing from the network, light or dark as the reader's system is. All text
/// is escaped.
std::string report_html(const RunReport& report);

/// Writes `report_html(report)` to `path`. Throws `Error` if that fails.
void write_report(const std::filesystem::path& path, const RunReport& report);

}  // namespace lintel::train
