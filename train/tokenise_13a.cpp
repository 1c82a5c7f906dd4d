#include <lintel/train/tokenise_13a.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <lintel/train/ascii.hpp>

namespace lintel::train {
namespace {

/// ASCII punctuation and symbols that are always words of their own: all but ' , - and the full stop.
bool stands_alone(char c) {
  return (c >= '!' && c <= '+' && c != '\'') || c == '/' || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

bool is_point(char c) { return c == '.' || c == ','; }

/// The bytes of the white space that `text` begins with, 0 if it does not: Unicode's White_Space, and as in Python the
/// separators U+001C … U+001F.
std::size_t white_space_length(std::string_view text) {
  if (text.empty()) return 0;
  if (is_ascii_space(text[0]) || (text[0] >= '\x1c' && text[0] <= '\x1f')) return 1;
  if (text.starts_with("\u0085") || text.starts_with("\u00a0")) return 2;
  const std::string_view three = text.substr(0, 3);
  const bool is_quad_or_thinner = three >= "\u2000" && three <= "\u200a";
  for (const char* space : {"\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    if (three == space) return 3;
  }
  return is_quad_or_thinner ? 3 : 0;
}

std::string replace_entities(std::string_view line) {
  constexpr std::array<std::pair<std::string_view, char>, 4> entities = {
      {{"&quot;", '"'}, {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}}};
  std::string text(line);
  // One after the other over the whole line: &amp;lt; becomes <.
  for (const auto& [entity, character] : entities) {
    std::size_t place = 0;
    while ((place = text.find(entity, place)) != std::string::npos) text.replace(place++, entity.size(), 1, character);
  }
  return text;
}

/// A copy of `text` with spaces around what stands alone.
std::string isolate_symbols(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (stands_alone(c)) {
      result.append({' ', c, ' '});
    } else {
      result += c;
    }
  }
  return result;
}

/// Walks through pairs of neighbours that do not overlap, left to right, and puts a space between those for which
/// `matches(first, second)`, and one `in_front` and `behind` where these say so.
template <class Matches>
std::string space_pairs(std::string_view text, bool in_front, bool behind, const Matches& matches) {
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + 1 == text.size() || !matches(text[i], text[i + 1])) {
      result += text[i++];
      continue;
    }
    if (in_front) result += ' ';
    result.append({text[i], ' ', text[i + 1]});
    if (behind) result += ' ';
    i += 2;
  }
  return result;
}

}  // namespace

std::vector<std::string> tokenise_13a(std::string_view line) {
  std::string text = " " + isolate_symbols(replace_entities(line)) + " ";
  text = space_pairs(text, false, true, [](char a, char b) { return !is_ascii_digit(a) && is_point(b); });
  text = space_pairs(text, true, false, [](char a, char b) { return is_point(a) && !is_ascii_digit(b); });
  text = space_pairs(text, false, true, [](char a, char b) { return is_ascii_digit(a) && b == '-'; });
  std::vector<std::string> words;
  std::string word;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t space = white_space_length(rest);
    if (space == 0) word += rest[0];
    if (space > 0 && !word.empty()) words.push_back(std::exchange(word, {}));
    rest.remove_prefix(std::max<std::size_t>(space, 1));
  }
  return words;
}

}  // namespace lintel::train
