// lintel predict: what a trained classifier says of texts, or of pairs of them, or what an encoder–decoder model makes
// of texts.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include <lintel/tools/command.hpp>
#include <lintel/tools/setting_options.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/evaluate.hpp>
#include <lintel/train/evaluate_pairs.hpp>
#include <lintel/train/number_text.hpp>
#include <lintel/train/trained_run.hpp>

namespace lintel::tools {
namespace {

using namespace lintel::train;
using Json = nlohmann::ordered_json;

struct PredictCommand {
  std::string run, file = "-", weights = "best";
  std::int64_t threads = 0;
  bool json = false;
  std::unique_ptr<SettingOptions> table;
};

// Standard input and .txt files have a text in each line, or two with a tab between them; other files are tables like
// the run's own, labels or not.
TableOptions options_of_input(const PredictCommand& command, const RunConfig& trained) {
  RunConfig config = trained;
  if (trained.task == "seq2seq") {
    config.text_column = trained.source_column;
    config.second_text_column = "";
  }
  const bool has_lines = command.file == "-" || table_format_of(command.file) == TableFormat::lines;
  if (has_lines) {
    const bool pairs = config.task == "match";
    config.format = pairs ? "tsv" : "lines";
    config.header = false;
    config.text_column = "1";
    config.second_text_column = pairs ? "2" : "";
  }
  command.table->override_in(config);
  TableOptions options = table_options(config);
  options.label_column = "";
  return options;
}

Json json_of(const std::vector<double>& probabilities, std::size_t best, const Labels& labels) {
  Json json = {{"label", labels.name(static_cast<std::int64_t>(best))}, {"probability", probabilities[best]}};
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    json["probabilities"][labels.name(static_cast<std::int64_t>(i))] = probabilities[i];
  }
  return json;
}

Json predict_classes(const PredictCommand& command, const TrainedRun& run, const std::vector<TextRow>& rows) {
  const RowClassifier model = load_classifier(run, command.weights);
  const ClassifyData data = encode_rows(rows, run.config, run.vocabulary.tokeniser, nullptr, command.file);

  Json predictions = Json::array();
  for (const std::vector<double>& probabilities : class_probabilities(model, data)) {
    const auto best =
        static_cast<std::size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
    const Labels& labels = *run.vocabulary.labels;
    std::cout << labels.name(static_cast<std::int64_t>(best)) << "\t" << fixed_text(probabilities[best], 4) << "\n";
    predictions.push_back(json_of(probabilities, best, labels));
  }
  return predictions;
}

Json predict_targets(const PredictCommand& command, const TrainedRun& run, const std::vector<TextRow>& rows) {
  const models::EncoderDecoder model = load_encoder_decoder(run, command.weights);
  const Tokeniser& tokeniser = run.vocabulary.target_tokeniser.value();
  const PairData data = encode_pairs(rows, run.vocabulary, run.config.max_length);
  Json predictions = Json::array();
  for (const auto& ids : write_targets(model, tokeniser, data.sources, run.config.max_length)) {
    const std::string text = tokeniser.decode(ids);
    std::cout << text << "\n";
    predictions.push_back({{"target", text}});
  }
  return predictions;
}

int run_predict(const PredictCommand& command) {
  use_threads(command.threads);
  const TrainedRun run = open_run(command.run);
  const auto rows = read_text_table(command.file, options_of_input(command, run.config));
  const Json predictions =
      run.config.task == "seq2seq" ? predict_targets(command, run, rows) : predict_classes(command, run, rows);
  if (command.json) print_json({{"predictions", predictions}});
  return 0;
}

}  // namespace

void add_predict_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<PredictCommand>();
  CLI::App& predict = *app.add_subcommand("predict",
                                          "Print the likeliest class of each text or pair of texts, a tab, and its "
                                          "probability, or the target that an encoder–decoder model writes for it");
  predict.add_option("--run", command->run, "folder of the run")->required();
  predict
      .add_option("file", command->file,
                  "a table with texts, a .txt file of one text a line (for pairs, two with a tab between), or - for "
                  "standard input")
      ->capture_default_str();
  predict.add_option("--weights", command->weights, "best, last, or a safetensors file")->capture_default_str();
  add_threads_option(predict, command->threads);
  add_json_option(predict, command->json);
  command->table = std::make_unique<SettingOptions>(
      predict, std::vector<std::string>{"format", "header", "text_column", "second_text_column"});
  predict.callback([command, &action] { action = [command] { return run_predict(*command); }; });
}

}  // namespace lintel::tools
