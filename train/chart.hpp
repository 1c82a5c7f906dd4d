// Line charts as SVG that stands inside an HTML page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lintel::train {

/// A value measured after a step.
struct CurvePoint {
  std::int64_t step;
  double value;
};

/// One line of a chart. Points are in the order of their steps; those that are not finite are left out.
struct ChartSeries {
  std::string name;
  std::string style;  ///< CSS class that gives the colour
  std::vector<CurvePoint> points;
  bool noisy = false;  ///< drawn pale, with its moving average on top; else with a dot at each point
};

/// A horizontal dashed line: something to compare with.
struct ChartLevel {
  std::string name;
  double value;
};

/// A chart of values against steps.
struct Chart {
  std::string title = {};
  std::string y_label = {};
  std::vector<ChartSeries> series = {};
  std::vector<ChartLevel> levels = {};
  bool percent = false;  ///< values are shares from 0 to 1, and the axis begins at 0
};

/// The chart as a `<figure>` with a legend. Colours come from the page: `currentColor` of the classes `grid`, `axis`,
/// `level` and of each series' own.
std::string chart_html(const Chart& chart);

}  // namespace lintel::train
