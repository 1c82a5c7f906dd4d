// The page that a run leaves behind.
#include <doctest/doctest.h>

#include <limits>
#include <lintel/train/html_text.hpp>
#include <lintel/train/report.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

std::vector<CurvePoint> falling_curve(std::int64_t steps) {
  std::vector<CurvePoint> curve;
  for (std::int64_t step = 1; step <= steps; ++step) curve.push_back({step, 2.0 / static_cast<double>(step)});
  return curve;
}

RunReport some_report() {
  RunReport report;
  report.title = "ListOps, short";
  report.summary = "A summary.";
  report.figures = {{"test accuracy", "65.3 %"}};
  report.training_loss = falling_curve(200);
  report.validation_loss = {{100, 1.5}, {200, 1.25}};
  report.validation_accuracy = {{100, 0.3}, {200, 0.62}};
  report.accuracies = {{"this model", 0.62, false}, {"majority class", 0.113}};
  report.examples = {{"[MAX 1 2 ]", "2", "2", 0.9}, {"[MIN 1 2 ]", "1", "3", 0.4}};
  report.config = {{"feature_map", "glu"}};
  return report;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// Whether each tag that opens is closed in its turn; void elements and those that close themselves aside.
bool is_balanced(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::string tag = html.substr(at + 1, html.find('>', at) - at - 1);
    const std::string name = tag.substr(0, tag.find(' '));
    if (tag.ends_with('/') || tag[0] == '!' || name == "meta") continue;
    if (tag[0] != '/') {
      open.push_back(name);
    } else if (open.empty() || open.back() != name.substr(1)) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

}  // namespace

TEST_CASE("text is escaped, and what is not text is replaced") {
  CHECK(escape_html("a < b & c > \"d\" 'e'") == "a &lt; b &amp; c &gt; &quot;d&quot; &#39;e&#39;");
  CHECK(escape_html("Größe\n\t漢") == "Größe\n\t漢");
  CHECK(escape_html("a\xFF\xC3") == "a\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(escape_html(std::string_view("a\0\x1B[m\x7F", 6)) == "a\xEF\xBF\xBD\xEF\xBF\xBD[m\xEF\xBF\xBD");
}

TEST_CASE("long text is shortened at a character") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abcd", 3) == "abc…");
  CHECK(shortened("äöüß", 2) == "äö…");
  CHECK(shortened("", 0).empty());
}

TEST_CASE("a report shows all that it was given") {
  const std::string html = report_html(some_report());
  for (const char* part :
       {"<title>ListOps, short</title>", "A summary.", "<b>65.3 %</b><span>test accuracy</span>", ">loss (nats)</text>",
        ">accuracy</text>", ">step</text>", "validation after step 200: 62.0 %", "validation after step 100: 1.500",
        "majority class 11.3 %</text>", "<span>this model</span>", "width:62.0%", "[MAX 1 2 ]", "90.0 %", "✓", "✗",
        "<dt>feature_map</dt><dd>glu</dd>"}) {
    CAPTURE(part);
    CHECK(contains(html, part));
  }
  CHECK(count_of(html, "<figure>") == 2);
  CHECK(is_balanced(html));
}

TEST_CASE("a report needs no network and runs no script") {
  const std::string html = report_html(some_report());
  for (const char* part : {"http:", "https:", "src=", "href=", "<script", "@import", "url("}) {
    CAPTURE(part);
    CHECK(!contains(html, part));
  }
}

TEST_CASE("a report escapes every text") {
  RunReport report = some_report();
  const std::string bad = "<i>&\"'";
  report.title = report.summary = report.loss_unit = bad;
  report.figures = report.config = {{bad, bad}};
  report.accuracies = {{bad, 0.5}};
  report.examples = {{bad, bad, bad, 0.5}};
  report.input_header = report.expected_header = report.predicted_header = bad;
  const std::string html = report_html(report);
  CHECK(!contains(html, "<i>&"));
  CHECK(count_of(html, "&lt;i&gt;&amp;&quot;&#39;") >= 16);
  CHECK(is_balanced(html));
}

TEST_CASE("a report leaves out what it was not given") {
  const std::string html = report_html({.title = "Empty"});
  CHECK(contains(html, "Nothing was measured."));
  for (const char* part : {"Against the baselines", "Examples", "Configuration", "Accuracy", "<svg"}) {
    CAPTURE(part);
    CHECK(!contains(html, part));
  }
  CHECK(is_balanced(html));
}

TEST_CASE("examples without an expected answer have no column and no mark for it") {
  RunReport report = some_report();
  report.expected_header = "";
  report.examples = {{"ROMEO:", "", "What light\nthrough"}};
  const std::string html = report_html(report);
  CHECK(contains(html, "What light\nthrough"));
  CHECK(!contains(html, "✗"));
  CHECK(!contains(html, "<th>sure</th>"));
}

TEST_CASE("values that are not finite are left out of a chart") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  RunReport report = some_report();
  report.training_loss = {{1, 2.0}, {2, nan}, {3, inf}, {4, 1.0}};
  report.validation_loss = {{4, nan}};
  report.accuracies = {{"this model", nan, false}, {"majority class", nan}};
  const std::string html = report_html(report);
  CHECK(is_balanced(html));
  CHECK(!contains(html, "=\"nan\""));
  CHECK(!contains(html, "=\"inf"));
  CHECK(!contains(html, ",nan"));
}

TEST_CASE("a chart of one point, of equal values and of many steps has finite coordinates") {
  for (const auto& curve : {std::vector<CurvePoint>{{0, 1.0}}, std::vector<CurvePoint>{{1, 0.0}, {2, 0.0}},
                            std::vector<CurvePoint>{{1, 1e-30}, {2, 1e30}}, falling_curve(50'000)}) {
    const std::string html = chart_html({"Loss", "loss", {{"training", "first", curve, true}}, {}});
    CHECK(is_balanced(html));
    CHECK(!contains(html, "nan"));
    CHECK(!contains(html, "inf"));
    CHECK(html.size() < 20'000);
    CHECK(count_of(html, "class=\"tick") >= 4);
  }
}

TEST_CASE("an axis of shares begins at nought") {
  const std::string html = chart_html({"Accuracy", "accuracy", {{"validation", "third", {{10, 0.62}}}}, {}, true});
  CHECK(contains(html, ">0%</text>"));
  CHECK(contains(html, ">60%</text>"));
}

TEST_CASE("a report is written to its file") {
  const TemporaryFolder folder;
  write_report(folder.path() / "report.html", some_report());
  CHECK(bytes_of(folder.path() / "report.html") == report_html(some_report()));
}
