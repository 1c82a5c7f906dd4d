// What a layer must know in training and not otherwise.
#pragma once

#include <cstdint>
#include <optional>

#include <lintel/core/random.hpp>

namespace lintel::nn {

/// Passed to a module's call in training; dropout acts only where it is given. The key names a stream of random numbers
/// and the step picks from it, so that a mask is a function of (key, step, place in the model) and can be had again.
struct Training {
  std::uint64_t key = 0;
  std::int64_t step = 0;

  /// A stream of its own for the part of a module that `label` numbers.
  Training child(std::uint64_t label) const { return {derive_key(key, label), step}; }
  /// The key of this step's dropout mask.
  std::uint64_t dropout_key() const { return derive_key(key, static_cast<std::uint64_t>(step)); }
};

/// `child` of an optional: nothing outside of training.
inline std::optional<Training> child_of(const std::optional<Training>& training, std::uint64_t label) {
  return training ? std::optional(training->child(label)) : std::nullopt;
}

}  // namespace lintel::nn
