#include <lintel/train/stop_strings.hpp>

#include <utility>

#include <lintel/core/error.hpp>

namespace lintel::train {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    if (stop.empty()) fail("generate: a stop string is empty, wanted at least one byte");
  }
}

std::string StopStrings::take(std::string_view piece) {
  if (!found_.empty()) return {};
  held_ += piece;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t place = held_.find(stop);
    if (place >= first) continue;
    first = place;
    found_ = stop;
  }
  const std::size_t shown = found_.empty() ? possible_begin() : first;
  std::string result = held_.substr(0, shown);
  held_.erase(0, found_.empty() ? shown : std::string::npos);
  return result;
}

/// The first place from which the held text is the beginning of a stop string; its end if there is none.
std::size_t StopStrings::possible_begin() const {
  for (std::size_t begin = 0; begin < held_.size(); ++begin) {
    const std::string_view tail = std::string_view(held_).substr(begin);
    for (const std::string& stop : stops_) {
      if (stop.starts_with(tail)) return begin;
    }
  }
  return held_.size();
}

std::string StopStrings::rest() { return std::exchange(held_, {}); }

}  // namespace lintel::train
