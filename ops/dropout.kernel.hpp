// Kernels of dropout, once per instruction set: no include guard, see kernels.isa.hpp.
// Plain loops over short arrays: `vec` has no integers, and compilers vectorise these by themselves. Integers make the
// mask the same for every instruction set.

namespace lintel::kernels::LINTEL_ISA {

/// Counters that one call of `philox_words` turns into four words each.
constexpr int philox_counters = 64;

/// words[4·j + w] = word w of philox(key, counter_of(j)), the function of core/random.hpp, for all counters side by
/// side.
template <class CounterOf>
[[gnu::always_inline]] inline void philox_words(std::uint64_t key, CounterOf counter_of, std::uint32_t* words) {
  constexpr int n = philox_counters;
  constexpr std::uint64_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
  std::uint32_t c0[n], c1[n], c2[n], c3[n];
  for (int j = 0; j < n; ++j) {
    const std::uint64_t counter = counter_of(j);
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

/// y[i] = scale·x[i] where words[i] is at least `threshold`, else 0, for at most as many elements as there are words.
/// y may be x: with the products in a place of their own, a compiler need not know to vectorise both loops.
template <class T>
[[gnu::always_inline]] inline void keep_or_drop(const T* x, T* y, std::int64_t count, const std::uint32_t* words,
                                                std::uint32_t threshold, T scale) {
  T scaled[4 * philox_counters];
  for (std::int64_t i = 0; i < count; ++i) scaled[i] = scale * x[i];
  for (std::int64_t i = 0; i < count; ++i) y[i] = words[i] >= threshold ? scaled[i] : T(0);
}

/// y[i] = scale·x[i] where the random word of element first + i is at least `threshold`, else 0. `first` is a multiple
/// of 4.
template <class T>
void dropout(const T* x, T* y, std::int64_t first, std::int64_t count, std::uint64_t key, std::uint32_t threshold,
             T scale) {
  constexpr std::int64_t tile = 4 * philox_counters;
  std::uint32_t words[tile];
  for (std::int64_t begin = 0; begin < count; begin += tile) {
    const std::uint64_t counter = static_cast<std::uint64_t>(first + begin) / 4;
    philox_words(
        key, [&](int j) __attribute__((always_inline)) { return counter + static_cast<std::uint64_t>(j); }, words);
    keep_or_drop(x + begin, y + begin, count - begin < tile ? count - begin : tile, words, threshold, scale);
  }
}

/// `dropout_rows` for rows that are no longer than the words of all counters, wherever among them they begin.
template <class T>
void dropout_short_rows(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride, std::int64_t first,
                        std::int64_t apart, std::int64_t rows, std::int64_t columns, std::uint64_t key,
                        std::uint32_t threshold, T scale) {
  const bool aligned = first % 4 == 0 && apart % 4 == 0;
  const std::int64_t counters_of_row = (columns + (aligned ? 3 : 6)) / 4,
                     rows_at_once = philox_counters / counters_of_row;
  std::uint64_t counters[philox_counters] = {};
  std::uint32_t words[4 * philox_counters];
  for (std::int64_t begin = 0; begin < rows; begin += rows_at_once) {
    const std::int64_t count = rows - begin < rows_at_once ? rows - begin : rows_at_once;
    for (std::int64_t r = 0; r < count; ++r) {
      const std::uint64_t counter = static_cast<std::uint64_t>(first + (begin + r) * apart) / 4;
      for (std::int64_t j = 0; j < counters_of_row; ++j) {
        counters[r * counters_of_row + j] = counter + static_cast<std::uint64_t>(j);
      }
    }
    philox_words(
        key, [&](int j) __attribute__((always_inline)) { return counters[j]; }, words);
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int64_t skipped = (first + (begin + r) * apart) % 4;
      keep_or_drop(x + (begin + r) * x_stride, y + (begin + r) * y_stride, columns,
                   words + 4 * r * counters_of_row + skipped, threshold, scale);
    }
  }
}

/// `dropout` of a matrix whose row r is the elements from first + r·apart on; these need not be multiples of 4.
template <class T>
void dropout_rows(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride, std::int64_t first,
                  std::int64_t apart, std::int64_t rows, std::int64_t columns, std::uint64_t key,
                  std::uint32_t threshold, T scale) {
  constexpr std::int64_t most_columns = 4 * philox_counters - 4;
  for (std::int64_t begin = 0; begin < columns; begin += most_columns) {
    const std::int64_t count = columns - begin < most_columns ? columns - begin : most_columns;
    dropout_short_rows(x + begin, x_stride, y + begin, y_stride, first + begin, apart, rows, count, key, threshold,
                       scale);
  }
}

}  // namespace lintel::kernels::LINTEL_ISA
