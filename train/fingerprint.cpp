#include <lintel/train/fingerprint.hpp>

namespace lintel::train {

std::string Fingerprint::hex() const {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(hash_ >> shift) & 15];
  return text;
}

}  // namespace lintel::train
