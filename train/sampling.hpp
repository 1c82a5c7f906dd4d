// Choosing the next token from a model's logits.
#pragma once

#include <cstdint>
#include <span>

#include <lintel/core/random.hpp>

namespace lintel::train {

/// How freely to choose. The defaults sample from the model's own distribution.
struct SamplingOptions {
  double temperature = 1;  ///< logits are divided by it; 0 always takes the most likely token
  std::int64_t top_k = 0;  ///< only the k most likely tokens; 0 means all
  double top_p = 1;        ///< only the most likely tokens that together have this probability
};

/// Throws `Error` for a negative temperature or `top_k`, or a `top_p` outside (0, 1].
void check_sampling(const SamplingOptions& options);

/// One token: the temperature is applied first, then top_k, then top_p, and one of the tokens left is drawn by its
/// probability. Of equally likely tokens the one with the smaller id counts as more likely. Throws `Error` if a logit
/// is NaN or there is none.
std::int64_t sample_token(std::span<const float> logits, const SamplingOptions& options, Rng& random);

}  // namespace lintel::train
