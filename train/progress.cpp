#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <lintel/train/number_text.hpp>
#include <lintel/train/progress.hpp>
#include <ostream>
#include <string_view>

namespace lintel::train {
namespace {

constexpr int narrowest_bar = 10, widest_bar = 40;
constexpr const char* start_of_line = "\r\033[K";  // and clears it

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double share_done(const ProgressState& state) {
  return std::clamp(static_cast<double>(state.step) / static_cast<double>(state.steps), 0.0, 1.0);
}

std::string bar_text(double share, int columns) {
  const auto filled = static_cast<std::size_t>(share * columns);
  std::string bar(filled, '=');
  if (filled < static_cast<std::size_t>(columns)) bar += '>';
  bar.resize(static_cast<std::size_t>(columns), ' ');
  return " [" + bar + "]";
}

std::string counter_text(const ProgressState& state) {
  const std::string step = grouped_text(state.step);
  if (state.steps <= 0) return state.name + " step " + step;
  const std::string steps = grouped_text(state.steps);
  const std::size_t padding = steps.size() - std::min(step.size(), steps.size());
  return state.name + " " + std::string(padding, ' ') + step + "/" + steps;
}

std::string measures_text(const ProgressState& state) {
  std::string text;
  if (state.steps > 0) text += "  " + fixed_text(std::min(100 * share_done(state), 100.0), 0) + " %";
  text += "  loss " + fixed_text(state.loss, 4);
  if (state.tokens_per_second > 0) text += "  " + short_count_text(state.tokens_per_second) + " tok/s";
  if (state.seconds_left >= 0) text += "  ETA " + duration_text(state.seconds_left);
  return text;
}

}  // namespace

std::string progress_line(const ProgressState& state, int width) {
  const std::string counter = counter_text(state), measures = measures_text(state);
  const int room = width - static_cast<int>(counter.size() + measures.size()) - 3;  // 3: what stands around the bar
  if (state.steps <= 0 || room < narrowest_bar) return counter + measures;
  return counter + bar_text(share_done(state), std::min(room, widest_bar)) + measures;
}

void RateMeter::add(double time, double count) {
  samples_.push_back({time, count});
  // The oldest sample kept is the last one before the window, so that slow steps have a rate too.
  while (samples_.size() > 2 && samples_[1].time <= time - seconds_) samples_.pop_front();
}

double RateMeter::rate() const {
  if (samples_.empty()) return 0;
  const double seconds = samples_.back().time - samples_.front().time;
  return seconds > 0 ? (samples_.back().count - samples_.front().count) / seconds : 0;
}

Progress::Progress(std::ostream& out, ProgressOptions options) : out_(out), options_(std::move(options)) {
  if (!options_.clock) options_.clock = steady_seconds;
  if (options_.interval < 0) options_.interval = options_.terminal ? 0.1 : 10;
  state_.name = options_.name;
  state_.step = options_.first_step;
  state_.steps = options_.steps;
  last_update_ = now();
  last_line_ = last_update_ - options_.interval;  // the first update is shown at once
  step_rate_.add(last_update_, static_cast<double>(state_.step));
  token_rate_.add(last_update_, 0);
}

Progress::~Progress() { finish(); }

double Progress::now() const { return options_.clock() - paused_; }

void Progress::update(std::int64_t step, double loss, std::int64_t tokens) {
  const double time = now();
  tokens_ += tokens;
  step_rate_.add(time, static_cast<double>(step));
  token_rate_.add(time, static_cast<double>(tokens_));
  const double steps_per_second = step_rate_.rate();
  const bool can_tell = state_.steps > 0 && steps_per_second > 0;
  state_.step = step;
  state_.loss = loss;
  state_.tokens_per_second = token_rate_.rate();
  state_.seconds_left =
      can_tell ? static_cast<double>(std::max<std::int64_t>(state_.steps - step, 0)) / steps_per_second : -1;
  last_update_ = time;
  pending_ = true;
  if (time - last_line_ >= options_.interval) draw();
}

void Progress::draw() {
  if (options_.terminal) {
    // One column less than there are: a full line makes some terminals wrap.
    const std::string line = progress_line(state_, options_.width - 1);
    out_ << start_of_line << line.substr(0, static_cast<std::size_t>(std::max(options_.width - 1, 1)));
    has_line_ = true;
  } else {
    out_ << progress_line(state_) << '\n';
  }
  out_.flush();
  last_line_ = last_update_;
  pending_ = false;
}

void Progress::note(const std::string& text) {
  if (has_line_) out_ << start_of_line;
  out_ << text << '\n';
  if (has_line_) draw();
  out_.flush();
}

void Progress::skip_pause() { paused_ += now() - last_update_; }

void Progress::finish() {
  if (pending_) draw();
  if (has_line_) out_ << '\n';
  has_line_ = false;
  out_.flush();
}

bool is_terminal(int descriptor) {
  const char* kind = std::getenv("TERM");
  return ::isatty(descriptor) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

int terminal_width(int descriptor) {
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace lintel::train
