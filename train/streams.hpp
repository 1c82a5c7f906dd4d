// The streams of random numbers that come from a run's one seed.
#pragma once

#include <cstdint>

#include <lintel/core/random.hpp>

namespace lintel::train {

/// What a run draws, the order of its data aside, for which batching.cpp has labels of its own (below 100).
enum class RunStream : std::uint64_t { weights = 101, dropout = 102 };

/// The key of one stream of the run with this seed.
inline std::uint64_t stream_key(std::uint64_t seed, RunStream stream) {
  return derive_key(seed, static_cast<std::uint64_t>(stream));
}

}  // namespace lintel::train
