#include <lintel/train/generation.hpp>

#include <lintel/core/error.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel::train {

void ReadingState::read(std::int64_t token) {
  tokens_.push_back(token);
  if (static_cast<std::int64_t>(tokens_.size()) > window_) tokens_.erase(tokens_.begin());
}

std::vector<float> ReadingState::next_logits() const {
  if (tokens_.empty()) fail("generate: the prompt is empty, wanted at least one token");
  const Tensor logits = model_(pack({tokens_}));  // (tokens, vocabulary)
  const auto last = logits.values<float>().last(static_cast<std::size_t>(logits.size(1)));
  return {last.begin(), last.end()};
}

void generate(ReadingState state, std::span<const std::int64_t> prompt, std::int64_t count,
              const SamplingOptions& options, Rng random, const std::function<bool(std::int64_t)>& take) {
  for (const std::int64_t token : prompt) state.read(token);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t token = sample_token(state.next_logits(), options, random);
    if (!take(token)) return;
    state.read(token);
  }
}

}  // namespace lintel::train
