#include <lintel/core/utf8.hpp>
#include <lintel/train/html_text.hpp>

namespace lintel::train {
namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
}

void append_escaped(std::string_view valid, std::string& html) {
  for (const char c : valid) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        if (is_control(c)) {
          html += replacement_character;
        } else {
          html += c;
        }
    }
  }
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }

}  // namespace

std::string escape_html(std::string_view text) {
  std::string html;
  while (const auto defect = find_utf8_defect(text)) {
    append_escaped(text.substr(0, defect->offset), html);
    html += replacement_character;
    text.remove_prefix(defect->offset + 1);
  }
  append_escaped(text, html);
  return html;
}

std::string html_element(const std::string& tag, std::string_view text) {
  return "<" + tag + ">" + escape_html(text) + "</" + tag + ">";
}

std::string shortened(std::string_view text, std::size_t characters) {
  std::size_t seen = 0;
  for (std::size_t place = 0; place < text.size(); ++place) {
    if (continues_character(text[place])) continue;
    if (seen++ == characters) return std::string(text.substr(0, place)) + "…";
  }
  return std::string(text);
}

}  // namespace lintel::train
