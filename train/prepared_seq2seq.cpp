#include <lintel/train/prepared_run.hpp>

#include <algorithm>

#include <lintel/train/build_model.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/evaluate_pairs.hpp>
#include <lintel/train/number_text.hpp>
#include <lintel/train/seq2seq_task.hpp>

namespace lintel::train {
namespace {

double mean_length(const std::vector<std::vector<std::int64_t>>& sequences) {
  double tokens = 0;
  for (const std::int64_t length : lengths_of(sequences)) tokens += static_cast<double>(length);
  return tokens / static_cast<double>(sequences.size());
}

std::string summary_of(const PairData& train, const PairData& valid, const RunVocabulary& vocabulary) {
  std::string text = grouped_text(train.size()) + " training pairs of " + fixed_text(mean_length(train.sources), 1) +
                     " and " + fixed_text(mean_length(train.targets), 1) + " tokens on average, " +
                     grouped_text(valid.size()) + " validation pairs, " +
                     grouped_text(vocabulary.tokeniser.vocabulary_size()) + " and " +
                     grouped_text(vocabulary.target_tokeniser->vocabulary_size()) + " token ids";
  const std::int64_t truncated = train.truncated + valid.truncated;
  if (truncated > 0) text += "; " + grouped_text(truncated) + " texts were cut to the longest length";
  return text;
}

}  // namespace

PreparedRun prepare_seq2seq(const RunConfig& config, std::optional<RunVocabulary> vocabulary) {
  SplitPairs pairs = read_split_pairs(config);
  if (!vocabulary) vocabulary = build_pair_vocabulary(config, pairs.train);
  PairData train = encode_pairs(pairs.train, *vocabulary, config.max_length);
  PairData valid = encode_pairs(pairs.valid, *vocabulary, config.max_length);

  PreparedRun run{*vocabulary, nullptr, summary_of(train, valid, *vocabulary), {}, nullptr};
  models::EncoderDecoder model = build_encoder_decoder(config, *vocabulary);
  std::vector<TextRow> shown = pairs.valid;
  shown.resize(std::min(shown.size(), most_examples));
  // `model` is a handle: it answers with the weights that it has when it is asked.
  run.examples = [model, vocabulary = *vocabulary, shown, max_length = config.max_length] {
    const PairData data = encode_pairs(shown, vocabulary, max_length);
    const auto written = write_targets(model, *vocabulary.target_tokeniser, data.sources, max_length);
    std::vector<ReportExample> examples;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      examples.push_back({shown[i].text, shown[i].label, vocabulary.target_tokeniser->decode(written[i])});
    }
    return examples;
  };
  run.task = std::make_unique<Seq2SeqTask>(config, std::move(model), std::move(train), std::move(valid));
  return run;
}

}  // namespace lintel::train
