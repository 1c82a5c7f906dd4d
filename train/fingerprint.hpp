// A short number that tells whether two data sets are the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lintel::train {

/// FNV-1a with 64 bits over everything that was added, in order. Finds accidents, not attacks.
/// Source: Fowler, Noll, Vo, Eastlake, "The FNV non-cryptographic hash algorithm".
class Fingerprint {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) mix(static_cast<unsigned char>(byte));
  }
  /// The values and how many they are, so that sequences cannot run into each other.
  void add(const std::vector<std::int64_t>& values) {
    add_number(static_cast<std::uint64_t>(values.size()));
    for (const std::int64_t value : values) add_number(static_cast<std::uint64_t>(value));
  }

  /// Sixteen hexadecimal digits.
  std::string hex() const;

 private:
  void add_number(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) mix(static_cast<unsigned char>(number >> shift));
  }
  void mix(unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3u; }

  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace lintel::train
