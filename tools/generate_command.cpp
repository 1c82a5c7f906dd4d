// lintel generate: a trained language model writes on.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <lintel/core/error.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/generation.hpp>
#include <lintel/train/interrupt.hpp>
#include <lintel/train/trained_run.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;

struct GenerateCommand {
  std::string run, prompt, weights = "best";
  std::int64_t tokens = 256, threads = 0;
  std::uint64_t seed = 1;
  SamplingOptions sampling;
  bool json = false;
};

int run_generate(const GenerateCommand& command) {
  check_sampling(command.sampling);
  if (command.tokens < 0) fail("generate: --tokens is 0 or more, got ", command.tokens);
  if (command.prompt.empty()) fail("generate: the prompt is empty, wanted at least one byte");
  use_threads(command.threads);
  const TrainedRun run = open_run(command.run);
  const models::LanguageModel model = load_language_model(run, command.weights);
  const Tokeniser& tokeniser = run.vocabulary.tokeniser;

  const InterruptGuard interrupt;
  std::string text;
  std::cout << command.prompt << std::flush;
  generate(ReadingState(model, run.config.max_length), tokeniser.encode(command.prompt), command.tokens,
           command.sampling, Rng(command.seed), [&](std::int64_t token) {
             const std::string piece = tokeniser.decode({token});
             text += piece;
             std::cout << piece << std::flush;
             return !interrupt.requested();
           });
  std::cout << "\n";
  if (command.json) print_json({{"prompt", command.prompt}, {"text", text}, {"seed", command.seed}});
  return interrupt.requested() ? 128 + interrupt.signal_number() : 0;
}

}  // namespace

void add_generate_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<GenerateCommand>();
  CLI::App& generate = *app.add_subcommand("generate", "Continue a prompt with a trained language model");
  generate.add_option("--run", command->run, "folder of the run")->required();
  generate.add_option("--prompt", command->prompt, "what to continue")->required();
  generate.add_option("--tokens", command->tokens, "tokens to write")->capture_default_str();
  generate
      .add_option("--temperature", command->sampling.temperature,
                  "below 1 is bolder on likely tokens; 0: the likeliest")
      ->capture_default_str();
  generate.add_option("--top-k", command->sampling.top_k, "choose among the k likeliest tokens; 0: all")
      ->capture_default_str();
  generate
      .add_option("--top-p", command->sampling.top_p, "choose among the likeliest tokens of this total probability")
      ->capture_default_str();
  add_seed_option(generate, command->seed, "the same seed gives the same text");
  generate.add_option("--weights", command->weights, "best, last, or a safetensors file")->capture_default_str();
  add_threads_option(generate, command->threads);
  add_json_option(generate, command->json);
  generate.callback([command, &action] { action = [command] { return run_generate(*command); }; });
}

}  // namespace lintel::tools
