// Numbers as people read them, whatever the locale.
#pragma once

#include <cstdint>
#include <string>

namespace lintel::train {

/// `value` with `digits` digits after the point: `fixed_text(0.5, 2)` is "0.50". Infinity and NaN are "inf" and "nan".
std::string fixed_text(double value, int digits);

/// `share`, from 0 to 1, as a percentage with one digit after the point: "65.3 %".
std::string percent_text(double share);

/// An integer with a comma every three digits: "21,019,658".
std::string grouped_text(std::int64_t value);

/// A count with three significant digits and a unit: "874", "41.2k", "3.05M".
std::string short_count_text(double value);

/// Seconds as "0:09", "12:05" or "1:02:03"; "-:--" if they are negative, not finite, or above 1000 hours.
std::string duration_text(double seconds);

}  // namespace lintel::train
