#include <algorithm>
#include <cmath>
#include <lintel/core/atomic_file.hpp>
#include <lintel/train/html_text.hpp>
#include <lintel/train/number_text.hpp>
#include <lintel/train/page.hpp>
#include <lintel/train/report.hpp>
#include <lintel/train/report_style.hpp>

namespace lintel::train {
namespace {

constexpr std::size_t longest_input = 600, longest_answer = 1200;  // characters of an example

std::string cell(const std::string& style, const std::string& text) {
  return "<td class=\"" + style + "\">" + escape_html(text) + "</td>";
}

std::string figures_html(const RunReport& report) {
  std::string html = "<div class=\"figures\">\n";
  for (const ReportItem& figure : report.figures) {
    html += "<div>" + html_element("b", figure.value) + html_element("span", figure.name) + "</div>\n";
  }
  return html + "</div>\n";
}

std::string charts_html(const RunReport& report) {
  Chart loss{"Loss", "loss (" + report.loss_unit + ")", {}, {}};
  loss.series.push_back({"training", "first", report.training_loss, true});
  loss.series.push_back({"validation", "second", report.validation_loss});
  std::string html = "<h2>Learning curves</h2>\n<div class=\"charts\">\n" + chart_html(loss);
  if (!report.validation_accuracy.empty()) {
    Chart accuracy{"Accuracy", "accuracy", {}, {}, true};
    accuracy.series.push_back({"validation", "third", report.validation_accuracy});
    for (const ReportAccuracy& entry : report.accuracies) {
      if (entry.baseline) accuracy.levels.push_back({entry.name, entry.accuracy});
    }
    html += chart_html(accuracy);
  }
  return html + "</div>\n";
}

std::string accuracies_html(const RunReport& report) {
  std::string html = "<h2>Against the baselines</h2>\n<div class=\"card bars\">\n";
  for (const ReportAccuracy& entry : report.accuracies) {
    const double width = std::isfinite(entry.accuracy) ? 100 * std::clamp(entry.accuracy, 0.0, 1.0) : 0;
    html += html_element("span", entry.name) + "<i class=\"" + (entry.baseline ? "" : "own") +
            "\" style=\"width:" + fixed_text(width, 1) + "%\"></i>" + html_element("b", percent_text(entry.accuracy)) +
            "\n";
  }
  return html + "</div>\n";
}

std::string example_row(const RunReport& report, const ReportExample& example, bool with_confidence) {
  const bool compared = !report.expected_header.empty();
  const bool right = example.expected == example.predicted;
  std::string html = "<tr>" + cell("input", shortened(example.input, longest_input));
  if (compared) html += cell("answer", shortened(example.expected, longest_answer));
  html += cell("answer", shortened(example.predicted, longest_answer));
  if (with_confidence) html += cell("share", example.confidence < 0 ? "" : percent_text(example.confidence));
  if (compared) html += right ? cell("mark", "✓") : cell("mark wrong", "✗");
  return html + "</tr>\n";
}

std::string examples_html(const RunReport& report) {
  const bool compared = !report.expected_header.empty();
  const bool with_confidence = std::any_of(report.examples.begin(), report.examples.end(),
                                           [](const ReportExample& example) { return example.confidence >= 0; });
  std::string html = std::string("<h2>Examples</h2>\n<div class=\"card\"><table class=\"") +
                     (compared ? "labels" : "texts") + "\">\n<tr>" + html_element("th", report.input_header);
  if (compared) html += html_element("th", report.expected_header);
  html += html_element("th", report.predicted_header);
  if (with_confidence) html += html_element("th", "sure");
  html += compared ? "<th></th></tr>\n" : "</tr>\n";
  for (const ReportExample& example : report.examples) html += example_row(report, example, with_confidence);
  return html + "</table></div>\n";
}

std::string config_html(const RunReport& report) {
  std::string html = "<h2>Configuration</h2>\n<dl class=\"card config\">\n";
  for (const ReportItem& item : report.config) {
    html += "<div>" + html_element("dt", item.name) + html_element("dd", item.value) + "</div>\n";
  }
  return html + "</dl>\n";
}

}  // namespace

std::string report_html(const RunReport& report) {
  std::string html = html_element("h1", report.title) + "\n";
  if (!report.summary.empty()) html += "<p class=\"summary\">" + escape_html(report.summary) + "</p>\n";
  if (!report.figures.empty()) html += figures_html(report);
  html += charts_html(report);
  if (!report.accuracies.empty()) html += accuracies_html(report);
  if (!report.examples.empty()) html += examples_html(report);
  if (!report.config.empty()) html += config_html(report);
  return html_page(report.title, report_style, html);
}

void write_report(const std::filesystem::path& path, const RunReport& report) { write_file(path, report_html(report)); }

}  // namespace lintel::train
