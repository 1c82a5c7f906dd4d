// How far a run is, as a line of text.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <iosfwd>
#include <string>

namespace lintel::train {

/// What a progress line shows.
struct ProgressState {
  std::string name = "train";
  std::int64_t step = 0;
  std::int64_t steps = 0;  ///< of the whole run; 0 if not known, then there is no bar and no time left
  double loss = 0;
  double tokens_per_second = 0;  ///< 0 if not known
  double seconds_left = -1;      ///< negative if not known
};

/// The line for `state`, with a bar that fills up to `width` columns; without a bar if `width` is 0 or too small for
/// one. `train  1,200/7,500 [=====>      ]  16 %  loss 1.8342  41.2k tok/s  ETA 2:31`
std::string progress_line(const ProgressState& state, int width = 0);

/// How fast something went lately: the slope over the last `seconds` of what was counted.
class RateMeter {
 public:
  explicit RateMeter(double seconds = 15) : seconds_(seconds) {}

  /// At `time` (seconds, never falling) the count stood at `count`.
  void add(double time, double count);

  /// Counts per second; 0 before there are two different times.
  double rate() const;

 private:
  struct Sample {
    double time, count;
  };
  double seconds_;
  std::deque<Sample> samples_;
};

/// Where and how a `Progress` writes.
struct ProgressOptions {
  std::string name = "train";
  std::int64_t first_step = 0;    ///< steps done before, by the run that is resumed
  std::int64_t steps = 0;         ///< of the whole run; 0 if not known
  bool terminal = false;          ///< one line drawn over and over; else a plain line now and then
  int width = 80;                 ///< columns of the terminal
  double interval = -1;           ///< seconds between lines at least; negative: 0.1 in a terminal, else 10
  std::function<double()> clock;  ///< seconds; by default the steady clock
};

/// Writes progress lines to a stream, which must outlive it.
class Progress {
 public:
  Progress(std::ostream& out, ProgressOptions options);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// After `step`, whose batch had `tokens` tokens, the loss was `loss`. Writes a line if it is time for one.
  void update(std::int64_t step, double loss, std::int64_t tokens);

  /// Writes `text` as a line that stays, above the bar.
  void note(const std::string& text);

  /// Takes the time since the last `update` out of the rates: for a pause such as a validation, just after it.
  void skip_pause();

  /// Ends the display: the bar stays as it was last. Nothing may follow. The destructor calls it.
  void finish();

 private:
  double now() const;
  void draw();

  std::ostream& out_;
  ProgressOptions options_;
  ProgressState state_;
  RateMeter step_rate_, token_rate_;
  std::int64_t tokens_ = 0;
  double paused_ = 0;       // seconds that do not count
  double last_update_ = 0;  // on the clock without the pauses
  double last_line_ = 0;
  bool has_line_ = false;  // a bar stands on the current line of the terminal
  bool pending_ = false;   // updated since the last line
};

/// Whether the file descriptor is a terminal that can draw over a line (TERM is not "dumb").
bool is_terminal(int descriptor);

/// Columns of the terminal behind the file descriptor; 80 if that cannot be told.
int terminal_width(int descriptor);

}  // namespace lintel::train
