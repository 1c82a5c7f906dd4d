// Classes of characters that do not follow the locale, as std::isspace and its kin do: a vocabulary must not.
#pragma once

namespace lintel::train {

/// Space, tab, line feed, vertical tab, form feed, carriage return.
constexpr bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

constexpr bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace lintel::train
