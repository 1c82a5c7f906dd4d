// Writing on: a language model that is fed its own output.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <lintel/models/language_model.hpp>
#include <lintel/train/sampling.hpp>

namespace lintel::train {

/// What a language model has read so far. It keeps the last tokens, `max_length` − 1 at most, and reads them all again
/// for every new one; a model whose attention carries a state of constant size can take its place behind the same two
/// calls. The last position is left out because training pieces of `max_length` tokens end there: nothing follows it to
/// be predicted, so the model never learnt to.
class ReadingState {
 public:
  ReadingState(const models::LanguageModel& model, std::int64_t max_length)
      : model_(model), window_(max_length > 1 ? max_length - 1 : 1) {}

  void read(std::int64_t token);

  /// The logits of the token that comes next. Throws `Error` before anything was read.
  std::vector<float> next_logits() const;

 private:
  models::LanguageModel model_;  // a handle
  std::int64_t window_;
  std::vector<std::int64_t> tokens_;
};

/// Reads `prompt` (at least one token), then draws `count` tokens, each read in turn, and hands every one to `take` as
/// soon as it is drawn; stops early when `take` returns false. The tokens are a function of model, prompt, options and
/// `random`.
void generate(ReadingState state, std::span<const std::int64_t> prompt, std::int64_t count,
              const SamplingOptions& options, Rng random, const std::function<bool(std::int64_t)>& take);

}  // namespace lintel::train
