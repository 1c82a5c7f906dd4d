#include <lintel/train/dataset.hpp>

#include <algorithm>
#include <cmath>

#include <lintel/core/error.hpp>
#include <lintel/train/fingerprint.hpp>
#include <lintel/train/text_source.hpp>

namespace lintel::train {

std::vector<std::int64_t> ClassifyData::lengths() const {
  std::vector<std::int64_t> lengths = lengths_of(sequences);
  for (std::size_t i = 0; i < second_sequences.size(); ++i) {
    lengths[i] += static_cast<std::int64_t>(second_sequences[i].size());
  }
  return lengths;
}

std::string ClassifyData::fingerprint() const {
  Fingerprint fingerprint;
  for (const auto& sequence : sequences) fingerprint.add(sequence);
  for (const auto& sequence : second_sequences) fingerprint.add(sequence);
  fingerprint.add(labels);
  return fingerprint.hex();
}

BatchOptions batch_options(const RunConfig& config) {
  return {config.seed, config.batch, config.batch_tokens, config.length_window};
}

std::vector<std::int64_t> lengths_of(const std::vector<std::vector<std::int64_t>>& sequences) {
  std::vector<std::int64_t> lengths;
  for (const auto& sequence : sequences) lengths.push_back(static_cast<std::int64_t>(sequence.size()));
  return lengths;
}

Packed pack_rows(const std::vector<std::vector<std::int64_t>>& sequences, const std::vector<std::int64_t>& rows) {
  std::vector<std::vector<std::int64_t>> chosen;
  for (const std::int64_t row : rows) chosen.push_back(sequences[static_cast<std::size_t>(row)]);
  return pack(chosen);
}

TableOptions table_options(const RunConfig& config) {
  TableOptions options;
  options.text_column = config.text_column;
  options.second_text_column = config.second_text_column;
  options.label_column = config.label_column;
  options.header = config.header;
  if (config.format != "auto") options.format = table_format_named(config.format);
  return options;
}

std::string text_of(const TextRow& row) {
  return row.second_text.empty() ? row.text : row.text + " " + row.second_text;
}

std::int64_t training_part(std::int64_t count, double fraction, const std::string& what) {
  if (fraction == 0) return count;
  if (count < 2) fail("data: ", what, ": nothing is left to train on when a part is held out for validation");
  const std::int64_t held_out = std::llround(static_cast<double>(count) * fraction);
  return count - std::clamp<std::int64_t>(held_out, 1, count - 1);
}

Tokeniser build_tokeniser(const RunConfig& config, const std::vector<TextRow>& rows) {
  std::vector<std::string_view> texts;
  for (const TextRow& row : rows) {
    texts.push_back(row.text);
    texts.push_back(row.second_text);
  }
  return build_tokeniser(config, config.tokeniser, texts);
}

Tokeniser build_tokeniser(const RunConfig& config, const std::string& name,
                          const std::vector<std::string_view>& texts) {
  if (name == "byte") return Tokeniser::bytes();
  VocabularyOptions options;
  options.max_size = config.vocabulary;
  options.min_count = config.min_count;
  options.split = name == "word" ? WordSplit::alphanumeric : word_split_named(name);
  return Tokeniser::words(texts, options);
}

Labels build_labels(const std::vector<TextRow>& rows) {
  std::vector<std::string_view> names;
  for (const TextRow& row : rows) names.push_back(row.label);
  return Labels::of(names);
}

std::vector<std::int64_t> encode_text(const std::string& text, const Tokeniser& tokeniser, std::int64_t max_length) {
  std::vector<std::int64_t> ids = tokeniser.encode(text, max_length);
  if (ids.empty()) ids.push_back(Tokeniser::padding_id);
  return ids;
}

namespace {

// The ids of one text of a row of `data`, which counts what is cut.
std::vector<std::int64_t> encode_cut(const std::string& text, const Tokeniser& tokeniser, std::int64_t max_length,
                                     ClassifyData& data) {
  std::vector<std::int64_t> ids = encode_text(text, tokeniser, 0);
  const std::int64_t excess = static_cast<std::int64_t>(ids.size()) - max_length;
  if (excess > 0) {
    ids.resize(static_cast<std::size_t>(max_length));
    ++data.truncated;
    data.dropped_tokens += excess;
  }
  return ids;
}

}  // namespace

ClassifyData encode_rows(const std::vector<TextRow>& rows, const RunConfig& config, const Tokeniser& tokeniser,
                         const Labels* labels, const std::string& name) {
  ClassifyData data;
  const bool pairs = config.task == "match";
  for (const TextRow& row : rows) {
    data.sequences.push_back(encode_cut(pairs ? row.text : text_of(row), tokeniser, config.max_length, data));
    if (pairs) data.second_sequences.push_back(encode_cut(row.second_text, tokeniser, config.max_length, data));
    if (labels == nullptr) continue;
    try {
      data.labels.push_back(labels->index(row.label));
    } catch (const Error& error) {
      fail("data: ", name, ": line ", row.line, ": ", error.what());
    }
  }
  return data;
}

TextData load_text(const RunConfig& config) {
  TextData data;
  data.train = read_text(config.data);
  if (!config.valid.empty()) {
    data.valid = read_text(config.valid);
  } else {
    const auto size = static_cast<std::int64_t>(data.train.size());
    const auto cut = static_cast<std::size_t>(training_part(size, config.valid_fraction, config.data));
    data.valid = data.train.substr(cut);
    data.train.resize(cut);
  }
  if (data.train.size() < 2) fail("data: ", config.data, " is too short: nothing follows its first byte");
  if (data.valid.size() == 1) fail("data: the validation text is too short: nothing follows its first byte");
  return data;
}

}  // namespace lintel::train
