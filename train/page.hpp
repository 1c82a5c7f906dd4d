// What the HTML pages share: their frame and their looks.
#pragma once

#include <string>

namespace lintel::train {

/// A page of its own: no link to anything outside, light or dark as the reader's system is. `style` is added to the
/// shared style sheet; `title` is escaped, `body` is HTML.
std::string html_page(const std::string& title, const std::string& style, const std::string& body);

}  // namespace lintel::train
