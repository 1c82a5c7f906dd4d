// Counter-based random numbers: any number of a stream can be had without the ones before it.
#pragma once

#include <array>
#include <cstdint>

namespace lintel {

/// Philox 4x32 with ten rounds: four random 32-bit words for each 64-bit `key` and 128-bit counter.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter_low, std::uint64_t counter_high = 0);

/// A stream of random numbers that is a pure function of its seed. A value: a copy continues the same stream.
class Rng {
 public:
  /// The stream of a seed, as it is after `position` calls of `next`.
  explicit Rng(std::uint64_t seed, std::uint64_t position = 0) : key_(seed), position_(position) {}

  /// What names the stream; with a counter it addresses every number of every stream derived from it.
  std::uint64_t key() const { return key_; }
  /// How many times `next` was called; with the key, the whole state.
  std::uint64_t position() const { return position_; }

  /// The next 64 random bits.
  std::uint64_t next();
  /// Uniform in [0, 1), 53 random bits.
  double uniform();
  /// Uniform integer in [0, bound), without bias. Throws `Error` for a bound below 1.
  std::int64_t below(std::int64_t bound);
  /// Standard normal (Box–Muller).
  double normal();

 private:
  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

/// A key for a stream of its own, from a key and a label (a step, a layer, a worker).
std::uint64_t derive_key(std::uint64_t key, std::uint64_t label);

}  // namespace lintel
