// Prints a tensor as NumPy's str() prints an array: a precision of 8, scientific notation where numbers differ too much
// in size, all elements of one width, lines of at most 75 characters, and three items at either end of each axis once
// there are more than 1000 elements. Source of the rules: numpy/_core/arrayprint.py, NumPy 2.4.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <lintel/core/tensor.hpp>
#include <string>
#include <vector>

namespace lintel {
namespace print_detail {

constexpr int precision = 8;
constexpr std::size_t line_width = 75;
constexpr std::int64_t summary_threshold = 1000;
constexpr std::int64_t edge_items = 3;

// ---- Digits --------------------------------------------------------------------------------------------------------

/// The parts of a number as text: "-12", "5", and "+01" with scientific notation.
struct Digits {
  std::string integer, fraction, exponent;
};

template <class T>
std::string to_text(T x, std::chars_format format, int digits) {
  char text[400];  // the longest double has 309 digits in front of the point
  const auto [end, error] = digits < 0 ? std::to_chars(text, text + sizeof text, x, format)
                                       : std::to_chars(text, text + sizeof text, x, format, digits);
  return {text, end};
}

Digits split_text(const std::string& text) {
  const std::size_t e = text.find('e');
  const std::string mantissa = text.substr(0, e);
  const std::size_t point = mantissa.find('.');
  return {mantissa.substr(0, point), point == std::string::npos ? "" : mantissa.substr(point + 1),
          e == std::string::npos ? "" : text.substr(e + 1)};
}

/// The fewest digits that identify `x` among the numbers of its type, at most `digits` behind the point.
template <class T>
Digits shortest_digits(T x, std::chars_format format, int digits) {
  Digits result = split_text(to_text(x, format, -1));
  if (static_cast<int>(result.fraction.size()) > digits) result = split_text(to_text(x, format, digits));
  while (!result.fraction.empty() && result.fraction.back() == '0') result.fraction.pop_back();
  return result;
}

std::string pad_left(const std::string& text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

// ---- Elements of one width -----------------------------------------------------------------------------------------

/// How the elements that will be seen are written.
using ElementFormat = std::function<std::string(std::int64_t index)>;

/// From here on numbers are written in scientific notation: in arrays, and alone.
template <class T>
constexpr T large_in_array = std::is_same_v<T, float> ? T(1e6) : T(1e8);
template <class T>
constexpr T large_alone = std::is_same_v<T, float> ? T(1e6) : T(1e16);

template <class T>
bool wants_scientific(const std::vector<T>& finite) {
  T largest = 0, smallest = 0;
  for (const T x : finite) {
    const T magnitude = std::abs(x);
    if (magnitude == 0) continue;
    largest = std::max(largest, magnitude);
    smallest = smallest == 0 ? magnitude : std::min(smallest, magnitude);
  }
  return smallest != 0 && (largest >= large_in_array<T> || smallest < T(0.0001) || largest / smallest > T(1000));
}

/// The widths that all shown numbers of a tensor share.
struct FloatLayout {
  bool scientific = false;
  std::size_t integer = 0, fraction = 0, exponent = 0;  // characters of each part

  /// Characters of an element behind its integer part.
  std::size_t behind() const { return 1 + fraction + exponent; }
};

template <class T>
FloatLayout layout_of(const std::vector<T>& shown) {
  std::vector<T> finite;
  std::copy_if(shown.begin(), shown.end(), std::back_inserter(finite), [](T x) { return std::isfinite(x); });
  FloatLayout layout;
  layout.scientific = wants_scientific(finite);
  for (const T x : finite) {
    const auto format = layout.scientific ? std::chars_format::scientific : std::chars_format::fixed;
    const Digits digits = shortest_digits(x, format, precision);
    layout.integer = std::max(layout.integer, digits.integer.size());
    layout.fraction = std::max(layout.fraction, digits.fraction.size());
    layout.exponent = std::max(layout.exponent, layout.scientific ? digits.exponent.size() + 1 : 0);
  }
  for (const T x : shown) {
    if (std::isfinite(x)) continue;
    const std::size_t name = std::isinf(x) && x < 0 ? 4 : 3;
    layout.integer = std::max(layout.integer, name - std::min(name, layout.behind()));
  }
  return layout;
}

template <class T>
std::string format_float(T x, const FloatLayout& layout) {
  if (!std::isfinite(x)) {
    const std::string name = std::isnan(x) ? "nan" : x < 0 ? "-inf" : "inf";
    return pad_left(name, layout.integer + layout.behind());
  }
  if (!layout.scientific) {
    const Digits digits = shortest_digits(x, std::chars_format::fixed, precision);
    const std::string fraction = digits.fraction + std::string(layout.fraction - digits.fraction.size(), ' ');
    return pad_left(digits.integer, layout.integer) + "." + fraction;
  }
  // Here NumPy fills up with further digits of the number, not with zeros.
  const Digits digits = split_text(to_text(x, std::chars_format::scientific, static_cast<int>(layout.fraction)));
  const std::string exponent(layout.exponent - 1 - digits.exponent.size(), '0');  // zeros behind the sign
  return pad_left(digits.integer, layout.integer) + "." + digits.fraction + "e" + digits.exponent.substr(0, 1) +
         exponent + digits.exponent.substr(1);
}

template <class T>
ElementFormat float_format(const T* elements, const std::vector<std::int64_t>& shown) {
  std::vector<T> values;
  for (const std::int64_t i : shown) values.push_back(elements[i]);
  return [elements, layout = layout_of(values)](std::int64_t i) { return format_float(elements[i], layout); };
}

ElementFormat element_format(const Tensor& x, const std::vector<std::int64_t>& shown) {
  switch (x.dtype()) {
    case DType::float32:
      return float_format(x.data<float>(), shown);
    case DType::float64:
      return float_format(x.data<double>(), shown);
    case DType::boolean:
      return [truths = x.data<bool>()](std::int64_t i) { return std::string(truths[i] ? " True" : "False"); };
    case DType::int64:
      break;
    case DType::bfloat16:
      return [values = convert(x, DType::float32), shown](std::int64_t i) {
        return float_format(values.data<float>(), shown)(i);
      };
  }
  const std::int64_t* integers = x.data<std::int64_t>();
  std::size_t width = 0;
  for (const std::int64_t i : shown) width = std::max(width, std::to_string(integers[i]).size());
  return [=](std::int64_t i) { return pad_left(std::to_string(integers[i]), width); };
}

// ---- Brackets and lines --------------------------------------------------------------------------------------------

/// The positions along an axis that are shown; −1 stands for the ellipsis.
std::vector<std::int64_t> shown_positions(std::int64_t size, bool summarised) {
  std::vector<std::int64_t> positions;
  const bool shortened = summarised && size > 2 * edge_items;
  for (std::int64_t i = 0; i < (shortened ? edge_items : size); ++i) positions.push_back(i);
  if (!shortened) return positions;
  positions.push_back(-1);
  for (std::int64_t i = size - edge_items; i < size; ++i) positions.push_back(i);
  return positions;
}

/// Appends the places of all shown elements below `place`, which counts blocks of the axes from `axis` on.
void collect_shown(const Shape& shape, int axis, std::int64_t place, std::vector<std::int64_t>& shown) {
  if (axis == shape.rank()) {
    shown.push_back(place);
    return;
  }
  for (const std::int64_t i : shown_positions(shape[axis], shape.size() > summary_threshold)) {
    if (i >= 0) collect_shown(shape, axis + 1, place * shape[axis] + i, shown);
  }
}

class ArrayPrinter {
 public:
  ArrayPrinter(const Shape& shape, ElementFormat format)
      : shape_(shape), format_(std::move(format)), summarised_(shape.size() > summary_threshold) {}

  /// The block `place` of the axes from `axis` on, in brackets; `indent` columns stand in front of its elements.
  std::string block(int axis, std::int64_t place, std::size_t indent) const {
    return axis == shape_.rank() - 1 ? row(place, indent) : rows(axis, place, indent);
  }

 private:
  std::string rows(int axis, std::int64_t place, std::size_t indent) const {
    const std::string separator(static_cast<std::size_t>(shape_.rank() - axis - 1), '\n');
    std::string text = "[";
    for (const std::int64_t i : shown_positions(shape_[axis], summarised_)) {
      if (text.size() > 1) text += separator + std::string(indent, ' ');
      text += i < 0 ? "..." : block(axis + 1, place * shape_[axis] + i, indent + 1);
    }
    return text + "]";
  }

  /// One row; it wraps where the next element and the brackets that may close behind it would not fit.
  std::string row(std::int64_t place, std::size_t indent) const {
    const std::size_t brackets = static_cast<std::size_t>(shape_.rank());
    const std::string prefix(indent, ' ');
    std::string text, line = prefix;
    for (const std::int64_t i : shown_positions(shape_[-1], summarised_)) {
      const std::string word = i < 0 ? "..." : format_(place * shape_[-1] + i);
      if (line.size() > indent) {
        if (line.size() + 1 + word.size() + brackets > line_width) {
          text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
          line = prefix;
        } else {
          line += ' ';
        }
      }
      line += word;
    }
    return "[" + (text + line).substr(indent) + "]";
  }

  Shape shape_;
  ElementFormat format_;
  bool summarised_;
};

/// A number alone: all digits that identify it, scientific when it is large or below 1e-4.
template <class T>
std::string format_number(T x) {
  if (!std::isfinite(x)) return format_float(x, {});
  const T magnitude = std::abs(x);
  const bool scientific = magnitude != 0 && (magnitude >= large_alone<T> || magnitude < T(1e-4));
  if (scientific) return to_text(x, std::chars_format::scientific, -1);
  const std::string text = to_text(x, std::chars_format::fixed, -1);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string format_scalar(const Tensor& x) {
  switch (x.dtype()) {
    case DType::float64:
      return format_number(*x.data<double>());
    case DType::boolean:
      return *x.data<bool>() ? "True" : "False";
    case DType::int64:
      return std::to_string(*x.data<std::int64_t>());
    case DType::float32:
    case DType::bfloat16:
      break;
  }
  return format_number(static_cast<float>(x.item()));
}

}  // namespace print_detail

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  using namespace print_detail;
  if (!x.defined()) return out << "undefined tensor";
  if (x.rank() == 0) return out << format_scalar(x);
  if (x.size() == 0) return out << "[]";
  std::vector<std::int64_t> shown;
  collect_shown(x.shape(), 0, 0, shown);
  return out << ArrayPrinter(x.shape(), element_format(x, shown)).block(0, 0, 1);
}

}  // namespace lintel
