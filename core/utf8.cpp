#include <cstdint>
#include <lintel/core/utf8.hpp>

namespace lintel {
namespace utf8_detail {

// The row of the table of well-formed sequences (Unicode 15, table 3-7) that a leading byte selects.
struct Utf8Sequence {
  std::size_t length;  // 0: not a leading byte
  unsigned char second_low, second_high;
};

Utf8Sequence utf8_sequence_of(unsigned char lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead >= 0xC2 && lead <= 0xDF) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};  // below: overlong
  if (lead == 0xED) return {3, 0x80, 0x9F};  // above: surrogates
  if (lead >= 0xE1 && lead <= 0xEF) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};  // below: overlong
  if (lead >= 0xF1 && lead <= 0xF3) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};  // above: beyond U+10FFFF
  return {0, 0, 0};
}

}  // namespace utf8_detail

std::optional<Utf8Defect> find_utf8_defect(std::string_view text) {
  for (std::size_t start = 0; start < text.size();) {
    const auto [length, second_low, second_high] =
        utf8_detail::utf8_sequence_of(static_cast<unsigned char>(text[start]));
    if (length == 0) return Utf8Defect{start, false};
    for (std::size_t place = 1; place < length; ++place) {
      if (start + place == text.size()) return Utf8Defect{start, true};
      const auto byte = static_cast<unsigned char>(text[start + place]);
      const unsigned char low = place == 1 ? second_low : 0x80;
      const unsigned char high = place == 1 ? second_high : 0xBF;
      if (byte < low || byte > high) return Utf8Defect{start, false};
    }
    start += length;
  }
  return std::nullopt;
}

}  // namespace lintel
