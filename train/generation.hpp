// Writing on: a language model that is fed its own output.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include <lintel/models/language_model.hpp>
#include <lintel/train/sampling.hpp>

namespace lintel::train {

/// What a language model has read so far. The model's own state goes on from token to token. Only where positions are
/// learned does it end, with their table: from there on the last `max_length` − 1 tokens are read again for every new
/// one. The last position is left out because training pieces of `max_length` tokens end there: nothing follows it to
/// be predicted, so the model never learnt to.
class ReadingState {
 public:
  ReadingState(const models::LanguageModel& model, std::int64_t max_length);

  /// Reads a token; the model computes when logits are asked for, all tokens since then at once.
  void read(std::int64_t token);

  /// The logits of the token that comes next. Throws `Error` before anything was read.
  const std::vector<float>& next_logits();

  /// The model's memory of the tokens for which logits were asked.
  const models::LanguageModelState& model_state() const { return state_; }

  /// Writes a safetensors file with which `load` goes on in another process, to the same logits. Throws `Error` when
  /// the system cannot write.
  void save(const std::filesystem::path& path, Metadata metadata = {}) const;
  /// Sets this state from a file. Throws `Error` if it is not of such a state or of another model.
  void load(const std::filesystem::path& path);

 private:
  bool window_is_full() const;

  models::LanguageModel model_;  // a handle
  models::LanguageModelState state_;
  std::int64_t window_;                // tokens that the positions allow; 0: any number
  std::vector<std::int64_t> tokens_;   // the last ones, at most `window_`
  std::vector<std::int64_t> pending_;  // the last of them that the model has not read
  std::vector<float> logits_;          // after what it has read
};

/// Where a generation stands, which is enough to go on with it.
struct Generation {
  ReadingState state;
  Rng random;
};

/// Reads `prompt`, then draws `count` tokens, each read in turn, and hands every one to `take` as soon as it is drawn;
/// stops early when `take` returns false. The tokens are a function of the model, what was read, options and the random
/// numbers. Throws `Error` when nothing was ever read.
Generation generate(Generation from, std::span<const std::int64_t> prompt, std::int64_t count,
                    const SamplingOptions& options, const std::function<bool(std::int64_t)>& take);
/// The same from a state that has read nothing, or anything else, and a stream of random numbers.
Generation generate(ReadingState state, std::span<const std::int64_t> prompt, std::int64_t count,
                    const SamplingOptions& options, Rng random, const std::function<bool(std::int64_t)>& take);

/// Writes all that `load_generation` needs. Throws `Error` when the system cannot write.
void save_generation(const Generation& generation, const std::filesystem::path& path);

/// Goes on where the saved generation stopped: `state` must be of the same model, and its tokens are replaced. Throws
/// `Error` for a file that is not of a generation, or of another model.
Generation load_generation(ReadingState state, const std::filesystem::path& path);

}  // namespace lintel::train
