#include <algorithm>
#include <cmath>
#include <limits>
#include <lintel/train/chart.hpp>
#include <lintel/train/html_text.hpp>
#include <lintel/train/number_text.hpp>

namespace lintel::train {
namespace {

using Curve = std::vector<CurvePoint>;

// The drawing area in units of the view box; the page scales it.
constexpr double view_width = 640, view_height = 320, plot_left = 58, plot_right = 626, plot_top = 14,
                 plot_bottom = 272;
constexpr std::size_t most_points = 400;  // more would not be seen, and would make the page heavy
constexpr std::size_t most_dots = 60;

struct Range {
  double low, high;
};

struct Scale {
  Range steps, values;
  double x(double step) const {
    return plot_left + (step - steps.low) / (steps.high - steps.low) * (plot_right - plot_left);
  }
  double y(double value) const {
    return plot_bottom - (value - values.low) / (values.high - values.low) * (plot_bottom - plot_top);
  }
};

Curve finite_points(const Curve& curve) {
  Curve finite;
  std::copy_if(curve.begin(), curve.end(), std::back_inserter(finite),
               [](const CurvePoint& point) { return std::isfinite(point.value); });
  return finite;
}

CurvePoint mean_point(const Curve& curve, std::size_t begin, std::size_t end) {
  double steps = 0, values = 0;
  for (std::size_t i = begin; i < end; ++i) {
    steps += static_cast<double>(curve[i].step);
    values += curve[i].value;
  }
  const auto count = static_cast<double>(end - begin);
  return {std::llround(steps / count), values / count};
}

// At most `most_points` points, each the mean of its neighbourhood.
Curve thinned(const Curve& curve) {
  const std::size_t bucket = (curve.size() + most_points - 1) / most_points;
  if (bucket <= 1) return curve;
  Curve thin;
  for (std::size_t begin = 0; begin < curve.size(); begin += bucket) {
    thin.push_back(mean_point(curve, begin, std::min(begin + bucket, curve.size())));
  }
  return thin;
}

// The mean over a twentieth of the curve around each point. At the start the neighbourhood shrinks on both sides, since
// a one-sided mean would hide how fast a loss falls at first; at the end it does not, so that the last value is a mean
// too.
Curve moving_average(const Curve& curve) {
  const std::size_t widest = std::max<std::size_t>(curve.size() / 40, 1);
  Curve smooth;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    const std::size_t before = std::min(widest, i);
    const std::size_t after = std::min(before, curve.size() - 1 - i);
    smooth.push_back({curve[i].step, mean_point(curve, i - before, i + after + 1).value});
  }
  return smooth;
}

// The points of the line that the reader follows.
Curve drawn_curve(const ChartSeries& series) {
  const Curve thin = thinned(series.points);
  return series.noisy ? moving_average(thin) : thin;
}

// A step of 1, 2 or 5 times a power of ten that divides `width` into about `parts`.
double tick_step(double width, double parts) {
  const double rough = width / parts;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double leading = rough / power;
  return power * (leading <= 1 ? 1 : leading <= 2 ? 2 : leading <= 5 ? 5 : 10);
}

std::string coordinate(double value) { return fixed_text(value, 1); }

std::string svg_line(const char* style, double x1, double y1, double x2, double y2) {
  return std::string("<line class=\"") + style + "\" x1=\"" + coordinate(x1) + "\" y1=\"" + coordinate(y1) +
         "\" x2=\"" + coordinate(x2) + "\" y2=\"" + coordinate(y2) + "\"/>\n";
}

std::string svg_text(const char* style, double x, double y, const std::string& text) {
  return std::string("<text class=\"") + style + "\" x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\">" +
         escape_html(text) + "</text>\n";
}

std::string svg_curve(const std::string& style, const Curve& curve, const Scale& scale) {
  std::string points;
  for (const CurvePoint& point : curve) {
    points += coordinate(scale.x(static_cast<double>(point.step))) + "," + coordinate(scale.y(point.value)) + " ";
  }
  return "<polyline class=\"" + style + "\" points=\"" + points + "\"/>\n";
}

std::string value_text(const Chart& chart, double value) {
  return chart.percent ? percent_text(value) : fixed_text(value, 3);
}

std::string svg_dots(const Chart& chart, const ChartSeries& series, const Scale& scale) {
  std::string dots;
  for (const CurvePoint& point : series.points) {
    dots += "<circle class=\"dot " + escape_html(series.style) + "\" cx=\"" +
            coordinate(scale.x(static_cast<double>(point.step))) + "\" cy=\"" + coordinate(scale.y(point.value)) +
            "\" r=\"3\"><title>" + escape_html(series.name) + " after step " + grouped_text(point.step) + ": " +
            value_text(chart, point.value) + "</title></circle>\n";
  }
  return dots;
}

std::string svg_series(const Chart& chart, const ChartSeries& series, const Scale& scale) {
  const std::string style = escape_html(series.style);
  std::string curves = svg_curve("curve " + style, drawn_curve(series), scale);
  if (series.noisy) return svg_curve("raw " + style, thinned(series.points), scale) + curves;
  return series.points.size() <= most_dots ? curves + svg_dots(chart, series, scale) : curves;
}

std::string svg_y_axis(const Chart& chart, const Scale& scale) {
  const double step = tick_step(scale.values.high - scale.values.low, 5);
  const double shown_step = chart.percent ? 100 * step : step;
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(shown_step) - 1e-9)), 0, 6);
  std::string axis;
  const double first = std::ceil(scale.values.low / step - 1e-9) + 0.0;  // + 0.0: an axis does not begin at -0
  for (double tick = first; tick * step <= scale.values.high; ++tick) {
    const double value = tick * step;
    axis += svg_line("grid", plot_left, scale.y(value), plot_right, scale.y(value));
    const std::string text = fixed_text(chart.percent ? 100 * value : value, digits) + (chart.percent ? "%" : "");
    axis += svg_text("tick left", plot_left - 8, scale.y(value) + 4, text);
  }
  return axis;
}

std::string svg_x_axis(const Scale& scale) {
  const double step = std::max(tick_step(scale.steps.high - scale.steps.low, 6), 1.0);
  std::string axis = svg_line("axis", plot_left, plot_bottom, plot_right, plot_bottom);
  for (double tick = std::ceil(scale.steps.low / step); tick * step <= scale.steps.high; ++tick) {
    const double x = scale.x(tick * step);
    axis += svg_line("axis", x, plot_bottom, x, plot_bottom + 4);
    axis += svg_text("tick", x, plot_bottom + 19, grouped_text(std::llround(tick * step)));
  }
  return axis + svg_text("label", (plot_left + plot_right) / 2, view_height - 8, "step");
}

// The first name stands above its line and the others below theirs, so that two levels that are close stay readable.
std::string svg_levels(const Chart& chart, const Scale& scale) {
  std::string levels;
  double name_offset = -5;
  for (const ChartLevel& level : chart.levels) {
    const double y = scale.y(level.value);
    levels += svg_line("level", plot_left, y, plot_right, y);
    levels +=
        svg_text("level-name", plot_right - 4, y + name_offset, level.name + " " + value_text(chart, level.value));
    name_offset = 14;
  }
  return levels;
}

void widen(Range& range, double value) {
  range.low = std::min(range.low, value);
  range.high = std::max(range.high, value);
}

// Covers what is to be read off: all dots and levels, and the moving averages of noisy curves rather than their spikes.
Scale scale_of(const Chart& chart) {
  Scale scale{{0, 1}, {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}};
  for (const ChartSeries& series : chart.series) {
    for (const CurvePoint& point : drawn_curve(series)) {
      widen(scale.steps, static_cast<double>(point.step));
      widen(scale.values, point.value);
    }
  }
  for (const ChartLevel& level : chart.levels) widen(scale.values, level.value);
  if (chart.percent) widen(scale.values, 0);
  const double width = scale.values.high - scale.values.low;
  const double margin = width > 0 ? 0.06 * width : std::max(0.1 * std::fabs(scale.values.high), 1e-3);
  scale.values.high += margin;
  if (!chart.percent) scale.values.low -= margin;
  return scale;
}

std::string legend_html(const Chart& chart) {
  std::string legend = "<div class=\"legend\">";
  for (const ChartSeries& series : chart.series) {
    const double last = drawn_curve(series).back().value;
    legend += "<span class=\"" + escape_html(series.style) + "\"><i></i>" + escape_html(series.name) + " <b>" +
              value_text(chart, last) + "</b></span>";
  }
  return legend + "</div>\n";
}

}  // namespace

std::string chart_html(const Chart& chart) {
  Chart drawn = chart;
  std::erase_if(drawn.levels, [](const ChartLevel& level) { return !std::isfinite(level.value); });
  drawn.series.clear();
  for (ChartSeries series : chart.series) {
    series.points = finite_points(series.points);
    if (!series.points.empty()) drawn.series.push_back(std::move(series));
  }
  std::string html = "<figure>\n<figcaption>" + escape_html(chart.title) + "</figcaption>\n";
  if (drawn.series.empty()) return html + "<p class=\"none\">Nothing was measured.</p>\n</figure>\n";
  const Scale scale = scale_of(drawn);
  html += legend_html(drawn);
  html += "<svg viewBox=\"0 0 " + coordinate(view_width) + " " + coordinate(view_height) +
          "\" role=\"img\" aria-label=\"" + escape_html(chart.title) + "\">\n";
  html += svg_y_axis(drawn, scale) + svg_x_axis(scale) + svg_levels(drawn, scale);
  // A nested svg cuts off the spikes of noisy curves at the edge of the plot.
  html += "<svg x=\"0\" y=\"0\" width=\"" + coordinate(view_width) + "\" height=\"" + coordinate(plot_bottom) + "\">\n";
  for (const ChartSeries& series : drawn.series) html += svg_series(drawn, series, scale);
  html += "</svg>\n<text class=\"label\" transform=\"translate(14 " + coordinate((plot_top + plot_bottom) / 2) +
          ") rotate(-90)\">" + escape_html(chart.y_label) + "</text>\n</svg>\n</figure>\n";
  return html;
}

}  // namespace lintel::train
