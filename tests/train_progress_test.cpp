// How far a run is, as a line of text.
#include <doctest/doctest.h>

#include <limits>
#include <lintel/train/number_text.hpp>
#include <lintel/train/progress.hpp>
#include <sstream>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

const ProgressState half_way{
    .step = 500, .steps = 1000, .loss = 1.25, .tokens_per_second = 41'200, .seconds_left = 151};

/// A stream, and a clock that a test sets.
struct Display {
  std::ostringstream out;
  double time = 100;

  ProgressOptions options(bool terminal) {
    return {.steps = 100, .terminal = terminal, .width = 60, .interval = 5, .clock = [this] { return time; }};
  }
  std::string taken() {
    std::string text = out.str();
    out.str("");
    return text;
  }
};

}  // namespace

TEST_CASE("numbers are written for people") {
  CHECK(fixed_text(0.5, 2) == "0.50");
  CHECK(fixed_text(-1.005, 1) == "-1.0");
  CHECK(fixed_text(1e300, 1).size() == 303);
  CHECK(fixed_text(std::numeric_limits<double>::quiet_NaN(), 3) == "nan");
  CHECK(percent_text(0.6534) == "65.3 %");
  CHECK(grouped_text(0) == "0");
  CHECK(grouped_text(999) == "999");
  CHECK(grouped_text(-1000) == "-1,000");
  CHECK(grouped_text(21'019'658) == "21,019,658");
  CHECK(grouped_text(-123) == "-123");
  CHECK(short_count_text(874) == "874");
  CHECK(short_count_text(999.6) == "1.00k");
  CHECK(short_count_text(41'234) == "41.2k");
  CHECK(short_count_text(99'960) == "100k");
  CHECK(short_count_text(3'050'000) == "3.05M");
  CHECK(duration_text(0) == "0:00");
  CHECK(duration_text(59.7) == "1:00");
  CHECK(duration_text(725) == "12:05");
  CHECK(duration_text(3723) == "1:02:03");
  CHECK(duration_text(-1) == "-:--");
  CHECK(duration_text(std::numeric_limits<double>::infinity()) == "-:--");
}

TEST_CASE("a progress line has a bar as wide as there is room") {
  const std::string plain = "train   500/1,000  50 %  loss 1.2500  41.2k tok/s  ETA 2:31";
  CHECK(progress_line(half_way) == plain);
  CHECK(progress_line(half_way, 60) == plain);
  const std::string line = progress_line(half_way, 80);
  CHECK(line.size() == 80);
  CHECK(line == "train   500/1,000 [=========>        ]  50 %  loss 1.2500  41.2k tok/s  ETA 2:31");
  CHECK(progress_line(half_way, 200).size() == plain.size() + 43);
}

TEST_CASE("a progress line leaves out what is not known") {
  CHECK(progress_line({.step = 1200, .loss = 0.5}, 80) == "train step 1,200  loss 0.5000");
  ProgressState done = half_way;
  done.step = done.steps = 1000;
  done.seconds_left = 0;
  CHECK(progress_line(done, 74) == "train 1,000/1,000 [===========]  100 %  loss 1.2500  41.2k tok/s  ETA 0:00");
}

TEST_CASE("a rate is that of the last seconds") {
  RateMeter meter(10);
  CHECK(meter.rate() == 0);
  meter.add(0, 0);
  CHECK(meter.rate() == 0);
  for (int second = 1; second <= 100; ++second) meter.add(second, second * 2.0);
  CHECK(meter.rate() == doctest::Approx(2));
  for (int second = 1; second <= 20; ++second) meter.add(100 + second, 200 + second * 5.0);
  CHECK(meter.rate() == doctest::Approx(5));
  RateMeter slow(1);
  slow.add(0, 0);
  slow.add(50, 1);
  CHECK(slow.rate() == doctest::Approx(0.02));
}

TEST_CASE("without a terminal there is a plain line now and then, and a last one") {
  Display display;
  {
    Progress progress(display.out, display.options(false));
    display.time += 1;
    progress.update(1, 2.0, 10);
    CHECK(display.taken() == "train   1/100  1 %  loss 2.0000  10 tok/s  ETA 1:39\n");
    display.time += 1;
    progress.update(2, 1.5, 10);
    CHECK(display.taken().empty());
    display.time += 4;
    progress.update(6, 1.0, 40);
    CHECK(display.taken() == "train   6/100  6 %  loss 1.0000  10 tok/s  ETA 1:34\n");
    progress.note("validation accuracy 50 %");
    CHECK(display.taken() == "validation accuracy 50 %\n");
    progress.update(7, 0.5, 0);
  }
  CHECK(contains(display.taken(), "train   7/100  7 %  loss 0.5000"));
}

TEST_CASE("in a terminal one line is drawn over and over, and notes stand above it") {
  Display display;
  {
    Progress progress(display.out, display.options(true));
    display.time += 1;
    progress.update(1, 2.0, 10);
    const std::string bar = "\r\033[Ktrain   1/100  1 %  loss 2.0000  10 tok/s  ETA 1:39";
    CHECK(display.taken() == bar);
    progress.note("note");
    CHECK(display.taken() == "\r\033[Knote\n" + bar);
    display.time += 5;
    progress.update(6, 1.0, 10);
    const std::string next = display.taken();
    CHECK(next.starts_with("\r\033[K"));
    CHECK(!contains(next, "\n"));
  }
  CHECK(display.taken() == "\n");
}

TEST_CASE("a line is never wider than the terminal") {
  Display display;
  ProgressOptions options = display.options(true);
  options.width = 20;
  Progress progress(display.out, options);
  display.time += 1;
  progress.update(1, 2.0, 10);
  CHECK(display.taken() == "\r\033[Ktrain   1/100  1 % ");
}

TEST_CASE("a pause does not count, and a resumed run's rate is its own") {
  Display display;
  ProgressOptions options = display.options(false);
  options.first_step = 40;
  Progress progress(display.out, options);
  display.time += 10;
  progress.update(50, 1.0, 100);
  display.taken();
  display.time += 1000;  // a validation
  progress.skip_pause();
  display.time += 10;
  progress.update(60, 1.0, 100);
  CHECK(display.taken() == "train  60/100  60 %  loss 1.0000  10 tok/s  ETA 0:40\n");
}

TEST_CASE("a run of unknown length has no percentage") {
  Display display;
  ProgressOptions options = display.options(false);
  options.steps = 0;
  options.name = "valid";
  Progress progress(display.out, options);
  display.time += 1;
  progress.update(3, 1.0, 0);
  CHECK(display.taken() == "valid step 3  loss 1.0000\n");
}
