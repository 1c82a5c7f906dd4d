#include <cmath>
#include <lintel/core/error.hpp>
#include <lintel/core/random.hpp>
#include <numbers>

namespace lintel {

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low, std::uint64_t counter_high) {
  constexpr std::uint64_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;  // constants of the paper, table 2
  constexpr std::uint32_t weyl0 = 0x9E3779B9u, weyl1 = 0xBB67AE85u;
  auto word = [](std::uint64_t value, int half) { return static_cast<std::uint32_t>(value >> (32 * half)); };
  std::array<std::uint32_t, 4> c = {word(counter_low, 0), word(counter_low, 1), word(counter_high, 0),
                                    word(counter_high, 1)};
  std::uint32_t k0 = word(key, 0), k1 = word(key, 1);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = multiplier0 * c[0], product1 = multiplier1 * c[2];
    c = {word(product1, 1) ^ c[1] ^ k0, word(product1, 0), word(product0, 1) ^ c[3] ^ k1, word(product0, 0)};
    k0 += weyl0;
    k1 += weyl1;
  }
  return c;
}

std::uint64_t Rng::next() {
  const auto words = philox(key_, position_++);
  return (static_cast<std::uint64_t>(words[1]) << 32) | words[0];
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

std::int64_t Rng::below(std::int64_t bound) {
  if (bound < 1) fail("Rng::below: bound is ", bound, ", at least 1 wanted");
  const auto range = static_cast<std::uint64_t>(bound);
  const std::uint64_t reject_below = (0 - range) % range;  // 2^64 mod range: what would make low values likelier
  std::uint64_t bits = next();
  while (bits < reject_below) bits = next();
  return static_cast<std::int64_t>(bits % range);
}

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::uint64_t derive_key(std::uint64_t key, std::uint64_t label) {
  // The high counter word keeps derived keys apart from the numbers of the stream itself.
  const auto words = philox(key, label, 0x6C696E74656C6B65u);
  return (static_cast<std::uint64_t>(words[1]) << 32) | words[0];
}

}  // namespace lintel
