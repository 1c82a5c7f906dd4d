// Kernels of dropout, once per instruction set: no include guard, see kernels.isa.hpp.
// Plain loops over short arrays: `vec` has no integers, and compilers vectorise these by themselves. Integers make the
// mask the same for every instruction set.

namespace lintel::kernels::LINTEL_ISA {

/// Counters that one call of `philox_words` turns into four words each.
constexpr int philox_counters = 64;

/// words[4·j + w] = word w of philox(key, first + j), the function of core/random.hpp, for all counters side by side.
[[gnu::always_inline]] inline void philox_words(std::uint64_t key, std::uint64_t first, std::uint32_t* words) {
  constexpr int n = philox_counters;
  constexpr std::uint64_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
  std::uint32_t c0[n], c1[n], c2[n], c3[n];
  for (int j = 0; j < n; ++j) {
    const std::uint64_t counter = first + static_cast<std::uint64_t>(j);
    c0[j] = static_cast<std::uint32_t>(counter);
    c1[j] = static_cast<std::uint32_t>(counter >> 32);
    c2[j] = c3[j] = 0;
  }
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int j = 0; j < n; ++j) {
      const std::uint64_t product0 = multiplier0 * c0[j], product1 = multiplier1 * c2[j];
      c0[j] = static_cast<std::uint32_t>(product1 >> 32) ^ c1[j] ^ k0;
      c2[j] = static_cast<std::uint32_t>(product0 >> 32) ^ c3[j] ^ k1;
      c1[j] = static_cast<std::uint32_t>(product1);
      c3[j] = static_cast<std::uint32_t>(product0);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int j = 0; j < n; ++j) {
    words[4 * j] = c0[j];
    words[4 * j + 1] = c1[j];
    words[4 * j + 2] = c2[j];
    words[4 * j + 3] = c3[j];
  }
}

/// y[i] = scale·x[i] where the random word of element first + i is at least `threshold`, else 0. `first` is a multiple
/// of 4.
template <class T>
void dropout(const T* x, T* y, std::int64_t first, std::int64_t count, std::uint64_t key, std::uint32_t threshold,
             T scale) {
  constexpr std::int64_t tile = 4 * philox_counters;
  std::uint32_t words[tile];
  for (std::int64_t begin = 0; begin < count; begin += tile) {
    philox_words(key, static_cast<std::uint64_t>(first + begin) / 4, words);
    const std::int64_t elements = count - begin < tile ? count - begin : tile;
    for (std::int64_t i = 0; i < elements; ++i) {
      const T scaled = scale * x[begin + i];
      y[begin + i] = words[i] >= threshold ? scaled : T(0);
    }
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
