#include <lintel/train/prepared_run.hpp>

#include <algorithm>

#include <lintel/core/error.hpp>
#include <lintel/train/baselines.hpp>
#include <lintel/train/build_model.hpp>
#include <lintel/train/classify_task.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/evaluate.hpp>
#include <lintel/train/number_text.hpp>

namespace lintel::train {
namespace {

using Rows = std::vector<TextRow>;

struct SplitRows {
  Rows train, valid;
  std::string valid_name;  // the file that `valid` came from
};

SplitRows read_rows(const RunConfig& config) {
  SplitRows rows;
  rows.train = read_text_table(config.data, table_options(config));
  if (!config.valid.empty()) {
    rows.valid = read_text_table(config.valid, table_options(config));
    rows.valid_name = config.valid;
    return rows;
  }
  const std::int64_t count = static_cast<std::int64_t>(rows.train.size());
  const auto cut = rows.train.begin() + training_part(count, config.valid_fraction, config.data);
  rows.valid.assign(cut, rows.train.end());
  rows.train.erase(cut, rows.train.end());
  rows.valid_name = config.data;
  return rows;
}

std::vector<ReportAccuracy> baselines_of(const RunConfig& config, const SplitRows& rows) {
  if (rows.valid.empty()) return {};
  std::vector<ReportAccuracy> baselines = {{"most frequent class", majority_accuracy(rows.train, rows.valid)}};
  if (config.tokeniser == "listops") {
    baselines.push_back({"best guess from the root operator", root_operator_accuracy(rows.train, rows.valid)});
  }
  return baselines;
}

std::string summary_of(const ClassifyData& train, const ClassifyData& valid, const RunVocabulary& vocabulary) {
  std::int64_t tokens = 0;
  for (const std::int64_t length : train.lengths()) tokens += length;
  std::string text = grouped_text(train.size()) + " training rows of " +
                     fixed_text(static_cast<double>(tokens) / static_cast<double>(train.size()), 1) +
                     " tokens on average, " + grouped_text(valid.size()) + " validation rows, " +
                     std::to_string(vocabulary.labels->size()) + " classes, " +
                     grouped_text(vocabulary.tokeniser.vocabulary_size()) + " token ids";
  const std::int64_t truncated = train.truncated + valid.truncated;
  if (truncated > 0) {
    text += "; " + grouped_text(truncated) + " texts were cut to the longest length, which dropped " +
            grouped_text(train.dropped_tokens + valid.dropped_tokens) + " tokens";
  }
  return text;
}

// `model` is a handle: it answers with the weights that it has when it is asked.
std::vector<ReportExample> answer_examples(const RowClassifier& model, const RunConfig& config,
                                           const RunVocabulary& vocabulary, const Rows& rows) {
  if (rows.empty()) return {};
  const ClassifyData data = encode_rows(rows, config, vocabulary.tokeniser, nullptr, "");
  const auto probabilities = class_probabilities(model, data);
  std::vector<ReportExample> examples;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto best = std::max_element(probabilities[i].begin(), probabilities[i].end());
    const std::string& answer = vocabulary.labels->name(best - probabilities[i].begin());
    const std::string input = config.task == "match" ? rows[i].text + " | " + rows[i].second_text : text_of(rows[i]);
    examples.push_back({input, rows[i].label, answer, *best});
  }
  return examples;
}

}  // namespace

PreparedRun prepare_classifier(const RunConfig& config, std::optional<RunVocabulary> vocabulary) {
  SplitRows rows = read_rows(config);
  if (!vocabulary) vocabulary = RunVocabulary{build_tokeniser(config, rows.train), build_labels(rows.train)};
  if (vocabulary->labels->size() < 2) {
    fail("data: ", config.data, ": every training row has the label \"", vocabulary->labels->name(0),
         "\"; there is nothing to tell apart");
  }
  auto encode = [&](const Rows& part, const std::string& name) {
    return encode_rows(part, config, vocabulary->tokeniser, &*vocabulary->labels, name);
  };
  ClassifyData train = encode(rows.train, config.data);
  ClassifyData valid = encode(rows.valid, rows.valid_name);

  PreparedRun run{*vocabulary, nullptr, summary_of(train, valid, *vocabulary), baselines_of(config, rows), nullptr};
  RowClassifier model = build_classifier(config, *vocabulary);
  rows.valid.resize(std::min(rows.valid.size(), most_examples));
  run.examples = [model, config, vocabulary = *vocabulary, shown = rows.valid] {
    return answer_examples(model, config, vocabulary, shown);
  };
  run.task = std::make_unique<ClassifyTask>(config, std::move(model), std::move(train), std::move(valid));
  return run;
}

}  // namespace lintel::train
