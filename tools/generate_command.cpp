// lintel generate: a trained language model writes on.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <lintel/core/error.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/generation.hpp>
#include <lintel/train/interrupt.hpp>
#include <lintel/train/stop_strings.hpp>
#include <lintel/train/trained_run.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;

struct GenerateCommand {
  std::string run, prompt, weights = "best", state, save_state;
  std::vector<std::string> stops;
  std::int64_t tokens = 256, threads = 0;
  std::uint64_t seed = 1;
  SamplingOptions sampling;
  bool json = false;
};

void check(const GenerateCommand& command) {
  check_sampling(command.sampling);
  if (command.tokens < 0) fail("generate: --tokens is 0 or more, got ", command.tokens);
  if (command.prompt.empty() && command.state.empty()) fail("generate: the prompt is empty, wanted at least one byte");
}

/// Prints what is generated as it comes, up to a stop string or an interruption.
class Printer {
 public:
  Printer(const Tokeniser& tokeniser, const std::vector<std::string>& stops) : tokeniser_(tokeniser), stops_(stops) {}

  /// Whether to go on.
  bool take(std::int64_t token) {
    ++tokens_;
    const std::string piece = tokeniser_.decode({token});
    show(stops_.take(tokeniser_.is_bytes() ? piece : " " + piece));
    return stops_.found().empty() && !interrupt_.requested();
  }
  void finish() {
    show(stops_.rest());
    std::cout << "\n";
  }

  const std::string& text() const { return text_; }
  const std::string& stop() const { return stops_.found(); }
  std::int64_t tokens() const { return tokens_; }
  int exit_code() const { return interrupt_.requested() ? 128 + interrupt_.signal_number() : 0; }

 private:
  void show(const std::string& piece) {
    text_ += piece;
    std::cout << piece << std::flush;
  }

  const Tokeniser& tokeniser_;
  StopStrings stops_;
  InterruptGuard interrupt_;
  std::string text_;
  std::int64_t tokens_ = 0;
};

int run_generate(const GenerateCommand& command) {
  check(command);
  use_threads(command.threads);
  const TrainedRun run = open_run(command.run);
  const models::LanguageModel model = load_language_model(run, command.weights);
  const Tokeniser& tokeniser = run.vocabulary.tokeniser;
  const ReadingState nothing(model, run.config.max_length);
  const Generation start =
      command.state.empty() ? Generation{nothing, Rng(command.seed)} : load_generation(nothing, command.state);

  const std::vector<std::int64_t> prompt = tokeniser.encode(command.prompt);

  Printer printer(tokeniser, command.stops);
  std::cout << command.prompt << std::flush;
  const Generation end = generate(start, prompt, command.tokens, command.sampling,
                                  [&](std::int64_t token) { return printer.take(token); });
  printer.finish();
  if (!command.save_state.empty()) save_generation(end, command.save_state);
  if (command.json) {
    print_json({{"prompt", command.prompt},
                {"text", printer.text()},
                {"seed", start.random.key()},
                {"tokens", printer.tokens()},
                {"stop", printer.stop()},
                {"state_bytes", end.state.model_state().bytes()}});
  }
  return printer.exit_code();
}

}  // namespace

void add_generate_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<GenerateCommand>();
  CLI::App& generate = *app.add_subcommand("generate", "Continue a prompt with a trained language model");
  generate.add_option("--run", command->run, "folder of the run")->required();
  generate.add_option("--prompt", command->prompt, "what to continue; may be left out with --state");
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
  generate.add_option("--stop", command->stops, "end before this string; may be given several times")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1);
  generate.add_option("--save-state", command->save_state,
                      "write a file with which --state goes on, in another process too, to the same text");
  generate.add_option("--state", command->state,
                      "go on where --save-state stopped, with its random numbers; the prompt is read behind it");
  generate.add_option("--weights", command->weights, "best, last, or a safetensors file")->capture_default_str();
  add_threads_option(generate, command->threads);
  add_json_option(generate, command->json);
  generate.callback([command, &action] { action = [command] { return run_generate(*command); }; });
}

}  // namespace lintel::tools
