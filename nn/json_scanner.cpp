#include <algorithm>

#include <lintel/core/utf8.hpp>
#include <lintel/nn/json_scanner.hpp>

namespace lintel::nn {
namespace json_scanner_detail {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Bytes of the first character of `text`, which is UTF-8 and not empty.
std::size_t character_length(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) ++length;
  return length;
}

void append_utf8(std::string& to, std::uint32_t code_point) {
  auto tail = [&](int shift) { to += static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) {
    to += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    to += static_cast<char>(0xC0 | (code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    to += static_cast<char>(0xE0 | (code_point >> 12));
    tail(6), tail(0);
  } else {
    to += static_cast<char>(0xF0 | (code_point >> 18));
    tail(12), tail(6), tail(0);
  }
}

}  // namespace json_scanner_detail

JsonScanner::JsonScanner(std::string_view text) : text_(text) {
  if (const auto defect = find_utf8_defect(text)) fail("byte ", defect->offset, " is not UTF-8");
}

void JsonScanner::fail_here(const std::string& reason) const { fail("byte ", place_, ": ", reason); }

void JsonScanner::skip_space() {
  constexpr std::string_view space = " \t\n\r";
  while (place_ < text_.size() && space.find(text_[place_]) != space.npos) ++place_;
}

bool JsonScanner::accept(char wanted) {
  skip_space();
  if (place_ == text_.size() || text_[place_] != wanted) return false;
  ++place_;
  return true;
}

void JsonScanner::expect(char wanted) {
  if (accept(wanted)) return;
  if (place_ == text_.size()) fail_here("got the end, wanted " + json_quote({&wanted, 1}));
  const std::string_view rest = text_.substr(place_);
  const std::string got = json_quote(rest.substr(0, json_scanner_detail::character_length(rest)));
  fail_here("got " + got + ", wanted " + json_quote({&wanted, 1}));
}

void JsonScanner::end() {
  skip_space();
  if (place_ != text_.size()) fail_here("something follows the end of the object");
}

std::int64_t JsonScanner::whole_number() {
  skip_space();
  const std::size_t start = place_;
  std::int64_t number = 0;
  for (; place_ < text_.size() && json_scanner_detail::is_digit(text_[place_]); ++place_) {
    if (__builtin_mul_overflow(number, std::int64_t{10}, &number) ||
        __builtin_add_overflow(number, std::int64_t{text_[place_] - '0'}, &number)) {
      fail_here("a number is too large for 64 bits");
    }
  }
  const bool leading_zero = place_ - start > 1 && text_[start] == '0';
  const bool goes_on = place_ < text_.size() && std::string_view(".eE").find(text_[place_]) != std::string_view::npos;
  if (place_ == start || leading_zero || goes_on) fail_here("a whole number from 0 wanted");
  return number;
}

std::string JsonScanner::string() {
  expect('"');
  std::string result;
  while (place_ < text_.size()) {
    const char c = text_[place_++];
    if (c == '"') return result;
    if (static_cast<unsigned char>(c) < 0x20) fail_here("a control character in a string");
    if (c == '\\') {
      append_escaped(result);
    } else {
      result += c;
    }
  }
  fail_here("a string has no end");
}

void JsonScanner::append_escaped(std::string& to) {
  constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  if (place_ == text_.size()) fail_here("a string has no end");
  const char letter = text_[place_++];
  const std::size_t found = letters.find(letter);
  if (found != letters.npos) {
    to += meanings[found];
  } else if (letter == 'u') {
    json_scanner_detail::append_utf8(to, escaped_code_point());
  } else {
    fail_here("unknown escape in a string");
  }
}

std::uint32_t JsonScanner::hexadecimal_digits() {
  constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++place_) {
    const std::size_t found = place_ < text_.size() ? digits.find(text_[place_]) : digits.npos;
    if (found == digits.npos) fail_here("four hexadecimal digits wanted");
    value = value * 16 + static_cast<std::uint32_t>(found % 16);
  }
  return value;
}

/// What follows `\u`; two escapes for a character above U+FFFF, as JSON has them from UTF-16.
std::uint32_t JsonScanner::escaped_code_point() {
  const std::uint32_t first = hexadecimal_digits();
  if (first < 0xD800 || first > 0xDFFF) return first;
  if (first > 0xDBFF || text_.substr(place_, 2) != "\\u") fail_here("half a surrogate pair");
  place_ += 2;
  const std::uint32_t second = hexadecimal_digits();
  if (second < 0xDC00 || second > 0xDFFF) fail_here("half a surrogate pair");
  return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

std::string json_quote(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      result += "\\u00";
      result += digits[byte >> 4];
      result += digits[byte & 15];
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string quote_briefly(std::string_view text) {
  constexpr std::size_t limit = 100;
  std::size_t end = 0;
  while (end < text.size() && end < limit) end += json_scanner_detail::character_length(text.substr(end));
  return json_quote(text.substr(0, end)) + (end < text.size() ? "…" : "");
}

}  // namespace lintel::nn
