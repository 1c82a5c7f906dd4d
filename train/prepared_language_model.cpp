#include <lintel/train/prepared_run.hpp>

#include <algorithm>

#include <lintel/train/build_model.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/generation.hpp>
#include <lintel/train/language_task.hpp>
#include <lintel/train/number_text.hpp>

namespace lintel::train {
namespace {

constexpr std::size_t prompt_bytes = 64;
constexpr std::int64_t continued_bytes = 192;

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';  // a byte model may write half a character
  }
  return text;
}

// One continuation of the text of validation, the same for every run of the seed.
std::vector<ReportExample> continue_text(const models::LanguageModel& model, const Tokeniser& tokeniser,
                                         const std::string& prompt, std::uint64_t seed, std::int64_t max_length) {
  std::vector<std::int64_t> tokens;
  generate(ReadingState(model, max_length), tokeniser.encode(prompt), continued_bytes, {.temperature = 0.8}, Rng(seed),
           [&](std::int64_t token) {
             tokens.push_back(token);
             return true;
           });
  return {{printable(prompt), "", printable(tokeniser.decode(tokens))}};
}

}  // namespace

PreparedRun prepare_language_model(const RunConfig& config, std::optional<RunVocabulary> vocabulary) {
  if (!vocabulary) vocabulary = RunVocabulary{Tokeniser::bytes(), std::nullopt};
  TextData data = load_text(config);
  models::LanguageModel model = build_language_model(config, *vocabulary);

  PreparedRun run{*vocabulary, nullptr, "", {}, nullptr};
  run.summary = grouped_text(static_cast<std::int64_t>(data.train.size())) + " bytes of training text, " +
                grouped_text(static_cast<std::int64_t>(data.valid.size())) + " of validation text";
  const std::string& seen = data.valid.empty() ? data.train : data.valid;
  run.examples = [model, tokeniser = vocabulary->tokeniser, prompt = seen.substr(0, prompt_bytes), seed = config.seed,
                  max_length = config.max_length] { return continue_text(model, tokeniser, prompt, seed, max_length); };
  run.task = std::make_unique<LanguageTask>(config, std::move(model), std::move(data));
  return run;
}

}  // namespace lintel::train
