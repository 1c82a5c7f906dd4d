#include <array>
#include <charconv>
#include <cmath>
#include <lintel/train/number_text.hpp>

namespace lintel::train {
namespace {

std::string two_digits(std::int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

}  // namespace

std::string fixed_text(double value, int digits) {
  std::array<char, 512> buffer{};  // the largest double has 309 digits before its point
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
  return {buffer.data(), end.ptr};
}

std::string percent_text(double share) { return fixed_text(100 * share, 1) + " %"; }

std::string grouped_text(std::int64_t value) {
  std::string text = std::to_string(value);
  const std::size_t sign = value < 0 ? 1 : 0;
  for (std::size_t place = text.size(); place > sign + 3;) text.insert(place -= 3, ",");
  return text;
}

std::string short_count_text(double value) {
  constexpr std::array<const char*, 5> units = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (std::fabs(value) >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  const double size = std::fabs(value);
  const int digits = unit == 0 || size >= 99.95 ? 0 : (size >= 9.995 ? 1 : 2);
  return fixed_text(value, digits) + units[unit];
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0 && seconds < 3.6e6)) return "-:--";
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  const std::int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours == 0) return std::to_string(minutes) + ":" + two_digits(whole % 60);
  return std::to_string(hours) + ":" + two_digits(minutes) + ":" + two_digits(whole % 60);
}

}  // namespace lintel::train
