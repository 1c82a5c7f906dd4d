// lintel eval: how good a trained model is on a file of raw rows or text.
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numbers>

#include <lintel/core/error.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/tools/setting_options.hpp>
#include <lintel/train/baselines.hpp>
#include <lintel/train/bleu.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/evaluate.hpp>
#include <lintel/train/evaluate_pairs.hpp>
#include <lintel/train/number_text.hpp>
#include <lintel/train/text_source.hpp>
#include <lintel/train/trained_run.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;
using Json = nlohmann::ordered_json;

struct EvalCommand {
  std::string run, data, source, target, weights = "best";
  std::int64_t threads = 0;
  bool json = false;
  std::unique_ptr<SettingOptions> table;
};

// The baselines know the labels of the very rows that they are scored on, which no model does: they are upper bounds.
Json baselines_of(const std::vector<TextRow>& rows, bool listops) {
  Json json = {{"majority_accuracy", majority_accuracy(rows, rows)}};
  if (listops) json["root_operator_accuracy"] = root_operator_accuracy(rows, rows);
  return json;
}

void print_share(const char* name, const Json& json, const char* key) {
  if (json.contains(key)) std::cout << name << percent_text(json[key].get<double>()) << "\n";
}

Json eval_classifier(const EvalCommand& command, const TrainedRun& run) {
  RunConfig config = run.config;
  command.table->override_in(config);
  const std::vector<TextRow> rows = read_text_table(command.data, table_options(config));
  const ClassifyData data = encode_rows(rows, config, run.vocabulary.tokeniser, &*run.vocabulary.labels, command.data);
  const Evaluation result = evaluate_classifier(load_classifier(run, command.weights), data);

  Json json = {{"rows", data.size()}, {"truncated", data.truncated}, {"loss", result.loss}};
  json["accuracy"] = result.accuracy.value();
  json.update(baselines_of(rows, config.tokeniser == "listops"));
  std::cout << grouped_text(data.size()) << " rows";
  if (data.truncated > 0) std::cout << "; " << grouped_text(data.truncated) << " texts were cut to max_length";
  std::cout << "\nloss " << fixed_text(result.loss, 4) << "\n";
  print_share("accuracy ", json, "accuracy");
  print_share("most frequent class of these rows ", json, "majority_accuracy");
  print_share("best guess from the root operator, knowing these rows ", json, "root_operator_accuracy");
  return json;
}

Json eval_language_model(const EvalCommand& command, const TrainedRun& run) {
  const std::string text = read_text(command.data);
  const models::LanguageModel model = load_language_model(run, command.weights);
  const Evaluation result = evaluate_language_model(model, run.vocabulary.tokeniser, text, run.config.max_length);
  const double bits = result.loss / std::numbers::ln2;
  std::cout << grouped_text(result.targets) << " bytes predicted\nloss " << fixed_text(result.loss, 4)
            << " nats per byte, " << fixed_text(bits, 4) << " bits\n";
  return {{"targets", result.targets}, {"loss", result.loss}, {"bits_per_byte", bits}};
}

std::vector<std::string> targets_of(const std::vector<TextRow>& rows) {
  std::vector<std::string> targets;
  for (const TextRow& row : rows) targets.push_back(row.label);
  return targets;
}

Json eval_encoder_decoder(const EvalCommand& command, const TrainedRun& run) {
  RunConfig config = run.config;
  command.table->override_in(config);
  const PairFiles files{command.data, command.source, command.target};
  check_pair_files(files, "eval");
  const std::vector<TextRow> rows = read_text_pairs(files, config);
  const Tokeniser& tokeniser = run.vocabulary.target_tokeniser.value();
  const models::EncoderDecoder model = load_encoder_decoder(run, command.weights);
  const PairData data = encode_pairs(rows, run.vocabulary, config.max_length);
  const Evaluation result = evaluate_pairs(model, data);
  const auto written = write_targets(model, tokeniser, data.sources, config.max_length);
  const ExactMatches matches = count_exact_matches(rows, written, tokeniser);
  std::vector<std::string> texts;
  for (const auto& ids : written) texts.push_back(tokeniser.decode(ids));
  const double bleu = corpus_bleu(texts, targets_of(rows));

  std::cout << grouped_text(data.size()) << " pairs, " << grouped_text(matches.sources) << " different sources";
  if (data.truncated > 0) std::cout << ", " << grouped_text(data.truncated) << " texts were cut to max_length";
  std::cout << "\nloss " << fixed_text(result.loss, 4) << " nats per token of a target\nexact match "
            << percent_text(matches.share()) << " of the sources, error rate " << percent_text(1 - matches.share())
            << "\nBLEU " << fixed_text(bleu, 2) << "\n";
  return {{"rows", data.size()},
          {"sources", matches.sources},
          {"truncated", data.truncated},
          {"targets", result.targets},
          {"loss", result.loss},
          {"exact_match", matches.share()},
          {"error_rate", 1 - matches.share()},
          {"bleu", bleu}};
}

Json eval_run(const EvalCommand& command, const TrainedRun& run) {
  if (run.config.task == "seq2seq") return eval_encoder_decoder(command, run);
  if (!command.source.empty() || !command.target.empty()) {
    fail("eval: --source and --target are for an encoder–decoder model, --data is wanted");
  }
  if (command.data.empty()) fail("eval: --data is missing, the file to score");
  return run.classifies() ? eval_classifier(command, run) : eval_language_model(command, run);
}

int run_eval(const EvalCommand& command) {
  use_threads(command.threads);
  const TrainedRun run = open_run(command.run);
  const Json json = eval_run(command, run);
  if (command.json) print_json(json);
  return 0;
}

}  // namespace

void add_eval_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<EvalCommand>();
  CLI::App& eval =
      *app.add_subcommand("eval", "Score a trained model on raw rows with labels, pairs of texts, or raw text");
  eval.add_option("--run", command->run, "folder of the run")->required();
  eval.add_option("--data", command->data, "file to score, plain or .gz; a table is read as the run's was");
  eval.add_option("--source", command->source, "file of sources, one a line, instead of --data");
  eval.add_option("--target", command->target, "file of their targets, line by line");
  eval.add_option("--weights", command->weights, "best, last, or a safetensors file")->capture_default_str();
  add_threads_option(eval, command->threads);
  add_json_option(eval, command->json);
  command->table = std::make_unique<SettingOptions>(eval, table_setting_names());
  eval.callback([command, &action] { action = [command] { return run_eval(*command); }; });
}

}  // namespace lintel::tools
