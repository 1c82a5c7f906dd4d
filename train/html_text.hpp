// Any text as text of an HTML page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lintel::train {

/// `text` with everything escaped that HTML gives a meaning, inside and outside attribute values. Bytes that are not
/// UTF-8 and control characters other than newline and tab become U+FFFD.
std::string escape_html(std::string_view text);

/// <tag>text</tag>, with `text` escaped.
std::string html_element(const std::string& tag, std::string_view text);

/// The first `characters` characters of `text`, with an ellipsis if it was longer.
std::string shortened(std::string_view text, std::size_t characters);

}  // namespace lintel::train
