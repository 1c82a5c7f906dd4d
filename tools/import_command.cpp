// lintel import: a model that others trained becomes the folder of a run.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <lintel/core/atomic_file.hpp>
#include <lintel/models/llama.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/build_model.hpp>
#include <lintel/train/checkpoint.hpp>
#include <lintel/train/number_text.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;

struct ImportCommand {
  std::string file, out;
  bool json = false;
};

int run_import(const ImportCommand& command) {
  const models::LanguageModel model = models::load_llama(command.file);
  RunConfig config = settings_of(model.config);
  if (config.max_length == 0) config.max_length = RunConfig().max_length;
  config.out = command.out;
  const RunFolder folder(command.out);
  require_no_run(folder);
  make_folders(folder.root());
  save_weights(folder.last(), nn::named_parameters(model), 0, std::nullopt);
  save_run(folder, config, {Tokeniser::numbers(model.config.vocab), std::nullopt});

  const std::int64_t parameters = nn::parameter_count(model);
  std::cout << grouped_text(parameters) << " parameters: " << model.config.blocks << " blocks of width "
            << model.config.hidden << ", " << model.config.heads << " heads (" << model.config.options.kv_heads
            << " of keys and values), " << model.config.vocab << " tokens\n"
            << "run: " << command.out << "; its text is the numbers of tokens, as in: lintel generate --run "
            << command.out << " --prompt \"1\"\n";
  if (command.json) print_json({{"run", command.out}, {"parameters", parameters}, {"settings", to_json(config)}});
  return 0;
}

}  // namespace

void add_import_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<ImportCommand>();
  CLI::App& import = *app.add_subcommand("import", "Make a run of a model in the layout of Llama (safetensors)");
  import.add_option("file", command->file, "the weights; the metadata give n_heads, rope_theta and rms_norm_eps")
      ->required();
  import.add_option("--out", command->out, "folder of the run, made if missing")->required();
  add_json_option(import, command->json);
  import.callback([command, &action] { action = [command] { return run_import(*command);
};
}  // namespace lintel::tools
);
}

}  // namespace lintel::tools
