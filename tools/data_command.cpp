// lintel data: makes data sets.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include <lintel/core/atomic_file.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/baselines.hpp>
#include <lintel/train/cmudict.hpp>
#include <lintel/train/listops.hpp>
#include <lintel/train/number_text.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;

struct ListOpsCommand {
  bool is_short = false, plain = false, json = false;
  std::optional<std::int64_t> min_tokens, max_tokens;
  std::string out;
  ListOpsConfig config;
};

std::vector<TextRow> rows_of(const std::vector<ListOpsExample>& examples) {
  std::vector<TextRow> rows;
  for (const ListOpsExample& example : examples) {
    rows.push_back({example.source(false), std::to_string(example.target()), "", 0});
  }
  return rows;
}

nlohmann::ordered_json baselines_of(const ListOpsSplits& splits) {
  if (splits.train.empty() || splits.test.empty()) return nlohmann::ordered_json::object();
  const std::vector<TextRow> train = rows_of(splits.train), test = rows_of(splits.test);
  return {{"majority_accuracy", majority_accuracy(train, test)},
          {"root_operator_accuracy", root_operator_accuracy(train, test)}};
}

int run_listops(const ListOpsCommand& command) {
  ListOpsConfig config = command.is_short ? ListOpsConfig::short_variant() : ListOpsConfig();
  config.seed = command.config.seed;
  config.train = command.config.train;
  config.valid = command.config.valid;
  config.test = command.config.test;
  config.min_tokens = command.min_tokens.value_or(config.min_tokens);
  config.max_tokens = command.max_tokens.value_or(config.max_tokens);
  const std::filesystem::path folder = command.out;
  make_folders(folder);
  const ListOpsSplits splits = generate_listops(config);
  write_listops(folder / "train.tsv", splits.train, !command.plain);
  write_listops(folder / "valid.tsv", splits.valid, !command.plain);
  write_listops(folder / "test.tsv", splits.test, !command.plain);

  std::cout << grouped_text(config.train) << " training, " << grouped_text(config.valid) << " validation and "
            << grouped_text(config.test) << " test expressions in " << folder.string() << "; "
            << grouped_text(splits.roots_drawn) << " were drawn\n";
  const nlohmann::ordered_json baselines = baselines_of(splits);
  if (!baselines.empty()) {
    std::cout << "on the test expressions the most frequent value is right in "
              << percent_text(baselines["majority_accuracy"].get<double>())
              << ", the best guess from the root operator in "
              << percent_text(baselines["root_operator_accuracy"].get<double>()) << "\n";
  }
  if (command.json) {
    nlohmann::ordered_json json = {{"out", command.out},  {"train", config.train}, {"valid", config.valid},
                                   {"test", config.test}, {"seed", config.seed},   {"roots_drawn", splits.roots_drawn}};
    json.update(baselines);
    print_json(json);
  }
  return 0;
}

struct CmudictCommand {
  std::string from, out;
  std::uint64_t seed = 1;
  bool json = false;
};

int run_cmudict(const CmudictCommand& command) {
  const PronunciationSplits splits = split_by_word(read_cmudict(command.from), command.seed);
  const std::filesystem::path folder = command.out;
  make_folders(folder);
  write_pronunciations(folder / "train.tsv", splits.train);
  write_pronunciations(folder / "valid.tsv", splits.valid);
  write_pronunciations(folder / "test.tsv", splits.test);
  const auto count = [](const auto& part) { return static_cast<std::int64_t>(part.size()); };
  std::cout << grouped_text(count(splits.train)) << " training, " << grouped_text(count(splits.valid))
            << " validation and " << grouped_text(count(splits.test)) << " test pronunciations in " << folder.string()
            << "\n";
  if (command.json) {
    print_json({{"out", command.out},
                {"train", splits.train.size()},
                {"valid", splits.valid.size()},
                {"test", splits.test.size()},
                {"seed", command.seed}});
  }
  return 0;
}

void add_listops(CLI::App& data, Action& action) {
  auto command = std::make_shared<ListOpsCommand>();
  CLI::App& listops = *data.add_subcommand(
      "listops", "Nested list operations, as train.tsv, valid.tsv and test.tsv with the columns Source and Target");
  listops.add_option("--out", command->out, "folder of the files, made if missing")->required();
  listops.add_flag("--short", command->is_short, "8 to 40 tokens instead of Long Range Arena's 501 to 1999");
  listops.add_option("--min-tokens", command->min_tokens, "tokens of the shortest expression; none: 501, short 8");
  listops.add_option("--max-tokens", command->max_tokens, "tokens of the longest expression; none: 1999, short 40");
  add_seed_option(listops, command->config.seed, "the same seed gives the same files");
  listops.add_option("--train", command->config.train, "training expressions")->capture_default_str();
  listops.add_option("--valid", command->config.valid, "validation expressions")->capture_default_str();
  listops.add_option("--test", command->config.test, "test expressions")->capture_default_str();
  listops.add_flag("--plain", command->plain, "leave out the parentheses of the published files");
  add_json_option(listops, command->json);
  listops.callback([command, &action] { action = [command] { return run_listops(*command); }; });
}

void add_cmudict(CLI::App& data, Action& action) {
  auto command = std::make_shared<CmudictCommand>();
  CLI::App& cmudict = *data.add_subcommand(
      "cmudict",
      "Words and their pronunciations, as train.tsv, valid.tsv and test.tsv with the columns Word and "
      "Phones; a tenth of the words, drawn by the seed, is test.tsv, a hundredth valid.tsv");
  cmudict.add_option("--from", command->from, "the CMU pronouncing dictionary, plain or .gz")->required();
  cmudict.add_option("--out", command->out, "folder of the files, made if missing")->required();
  add_seed_option(cmudict, command->seed, "the same seed gives the same files");
  add_json_option(cmudict, command->json);
  cmudict.callback([command, &action] { action = [command] { return run_cmudict(*command); }; });
}

}  // namespace

void add_data_command(CLI::App& app, Action& action) {
  CLI::App& data = *app.add_subcommand("data", "Make a data set");
  data.require_subcommand(1);
  add_listops(data, action);
  add_cmudict(data, action);
}

}  // namespace lintel::tools
