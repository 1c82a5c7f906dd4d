// lintel attention-map: a page that shows what a layer of a trained model attends to.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <lintel/core/atomic_file.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/attention_map.hpp>
#include <lintel/train/trained_run.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;

struct AttentionMapCommand {
  std::string run, text, weights = "best", out = "attention-map.html";
  std::int64_t layer = 0, threads = 0;
  bool json = false;
};

int run_attention_map(const AttentionMapCommand& command) {
  use_threads(command.threads);
  const AttentionMap map = attention_map_of(open_run(command.run), command.weights, command.text, command.layer);
  write_file(command.out, attention_map_html(map));
  std::cout << "attention map: " << command.out << "\n";
  if (command.json) {
    print_json({{"out", command.out}, {"tokens", map.tokens}, {"heads", map.weights.softmax.size(0)}});
  }
  return 0;
}

}  // namespace

void add_attention_map_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<AttentionMapCommand>();
  CLI::App& map = *app.add_subcommand(
      "attention-map", "Write a page with the attention matrices of a layer, kernel beside softmax, for one text");
  map.add_option("--run", command->run, "folder of the run")->required();
  map.add_option("text", command->text, "what the model reads")->required();
  map.add_option("--layer", command->layer, "layer, from 0 for the first block")->capture_default_str();
  map.add_option("--out", command->out, "file of the page")->capture_default_str();
  map.add_option("--weights", command->weights, "best, last, or a safetensors file")->capture_default_str();
  add_threads_option(map, command->threads);
  add_json_option(map, command->json);
  map.callback([command, &action] { action = [command] { return run_attention_map(*command); }; });
}

}  // namespace lintel::tools
