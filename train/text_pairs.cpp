#include <lintel/train/text_pairs.hpp>

#include <lintel/core/error.hpp>
#include <lintel/train/dataset.hpp>
#include <lintel/train/fingerprint.hpp>

namespace lintel::train {

std::vector<std::int64_t> PairData::lengths() const {
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    lengths.push_back(static_cast<std::int64_t>(sources[i].size() + targets[i].size() + 1));
  }
  return lengths;
}

std::string PairData::fingerprint() const {
  Fingerprint fingerprint;
  for (const auto& source : sources) fingerprint.add(source);
  for (const auto& target : targets) fingerprint.add(target);
  return fingerprint.hex();
}

void check_pair_files(const PairFiles& files, const std::string& prefix) {
  const bool both = !files.source.empty() && !files.target.empty();
  const bool none = files.source.empty() && files.target.empty();
  if (files.table.empty() ? both : none) return;
  fail(prefix, ": pairs of texts stand in a table or in two files, source and target",
       files.table.empty() ? "" : ", not in both");
}

std::vector<TextRow> read_text_pairs(const PairFiles& files, const RunConfig& config) {
  if (!files.table.empty()) {
    TableOptions options = table_options(config);
    options.text_column = config.source_column;
    options.label_column = config.target_column;
    options.second_text_column = "";
    return read_text_table(files.table, options);
  }
  std::vector<TextRow> rows = read_text_table(files.source, {.format = TableFormat::lines});
  const std::vector<TextRow> targets = read_text_table(files.target, {.format = TableFormat::lines});
  if (rows.size() != targets.size()) {
    fail("data: ", files.source, " has ", rows.size(), " lines and ", files.target, " ", targets.size(),
         ", as many of both wanted");
  }
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].label = targets[i].text;
  return rows;
}

SplitPairs read_split_pairs(const RunConfig& config) {
  const PairFiles train{config.data, config.source, config.target};
  const PairFiles valid{config.valid, config.valid_source, config.valid_target};
  SplitPairs pairs;
  pairs.train = read_text_pairs(train, config);
  if (valid.given()) {
    pairs.valid = read_text_pairs(valid, config);
    return pairs;
  }
  const auto count = static_cast<std::int64_t>(pairs.train.size());
  const auto cut = pairs.train.begin() + training_part(count, config.valid_fraction, train.name());
  pairs.valid.assign(cut, pairs.train.end());
  pairs.train.erase(cut, pairs.train.end());
  return pairs;
}

RunVocabulary build_pair_vocabulary(const RunConfig& config, const std::vector<TextRow>& rows) {
  std::vector<std::string_view> sources, targets;
  for (const TextRow& row : rows) {
    sources.push_back(row.text);
    targets.push_back(row.label);
  }
  const std::string& of_targets = config.target_tokeniser == "same" ? config.tokeniser : config.target_tokeniser;
  return {.tokeniser = build_tokeniser(config, config.tokeniser, sources),
          .target_tokeniser = build_tokeniser(config, of_targets, targets)};
}

PairData encode_pairs(const std::vector<TextRow>& rows, const RunVocabulary& vocabulary, std::int64_t max_length) {
  PairData data;
  const auto encode = [&](const std::string& text, const Tokeniser& tokeniser) {
    std::vector<std::int64_t> ids = tokeniser.encode(text);
    if (static_cast<std::int64_t>(ids.size()) <= max_length) return ids;
    ++data.truncated;
    ids.resize(static_cast<std::size_t>(max_length));
    return ids;
  };
  for (const TextRow& row : rows) {
    data.sources.push_back(encode(row.text, vocabulary.tokeniser));
    if (data.sources.back().empty()) data.sources.back().push_back(Tokeniser::padding_id);
    data.targets.push_back(encode(row.label, vocabulary.target_tokeniser.value()));
  }
  return data;
}

}  // namespace lintel::train
