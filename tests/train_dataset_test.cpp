#include <doctest/doctest.h>

#include <lintel/train/dataset.hpp>
#include <lintel/train/fingerprint.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using lintel_test::contains;
using lintel_test::error_of;
using lintel_test::TemporaryFolder;

namespace {

std::vector<TextRow> some_rows() {
  return {{"one two", "a", "", 1}, {"", "b", "", 2}, {"two three four five", "a", "six", 3}};
}

}  // namespace

TEST_CASE("rows become ids and classes; what is cut is counted, and a text without a word still has a token") {
  RunConfig config;
  config.tokeniser = "word";
  config.max_length = 3;
  const auto rows = some_rows();
  const Tokeniser tokeniser = build_tokeniser(config, rows);
  const Labels labels = build_labels(rows);
  const ClassifyData data = encode_rows(rows, config, tokeniser, &labels, "rows.tsv");
  CHECK(data.lengths() == std::vector<std::int64_t>{2, 1, 3});
  CHECK(data.labels == std::vector<std::int64_t>{0, 1, 0});
  CHECK(data.sequences[1][0] == Tokeniser::padding_id);
  CHECK(data.truncated == 1);
  CHECK(data.dropped_tokens == 2);
}

TEST_CASE("a second column of text is read after the first, and its words are in the vocabulary") {
  RunConfig config;
  config.tokeniser = "word";
  const auto rows = some_rows();
  const ClassifyData data = encode_rows(rows, config, build_tokeniser(config, rows), nullptr, "rows.tsv");
  CHECK(text_of(rows[2]) == "two three four five six");
  CHECK(data.sequences[2].size() == 5);
  CHECK(data.sequences[2].back() != Tokeniser::unknown_id);
  CHECK(data.labels.empty());
}

TEST_CASE("the two texts of a pair are two sequences, each cut to the model's length, and both count as tokens") {
  RunConfig config;
  config.task = "match";
  config.tokeniser = "word";
  config.max_length = 3;
  const auto rows = some_rows();
  const ClassifyData data = encode_rows(rows, config, build_tokeniser(config, rows), nullptr, "rows.tsv");
  REQUIRE(data.second_sequences.size() == 3);
  CHECK(data.sequences[2].size() == 3);
  CHECK(data.second_sequences[2].size() == 1);
  CHECK(data.second_sequences[2][0] != Tokeniser::unknown_id);
  CHECK(data.second_sequences[0] == std::vector<std::int64_t>{Tokeniser::padding_id});
  CHECK(data.lengths() == std::vector<std::int64_t>{3, 2, 4});
  CHECK(data.truncated == 1);
}

TEST_CASE("a label outside the classes is named with its file and line") {
  const auto rows = some_rows();
  const Labels labels = Labels::of({"a", "c"});
  const std::string error = error_of([&] { (void)encode_rows(rows, {}, Tokeniser::bytes(), &labels, "rows.tsv"); });
  CHECK(contains(error, "rows.tsv: line 2"));
  CHECK(contains(error, "\"b\""));
}

TEST_CASE("the held-out part comes from the end and leaves something on both sides") {
  CHECK(training_part(100, 0.05, "x") == 95);
  CHECK(training_part(100, 0, "x") == 100);
  CHECK(training_part(3, 0.05, "x") == 2);
  CHECK(training_part(2, 0.9, "x") == 1);
  CHECK(contains(error_of([] { (void)training_part(1, 0.05, "rows.tsv"); }), "rows.tsv"));
}

TEST_CASE("a text is split into training and validation at the right byte") {
  const TemporaryFolder folder;
  RunConfig config;
  config.data = folder.file("text.txt", "0123456789");
  config.valid_fraction = 0.3;
  CHECK(load_text(config).train == "0123456");
  CHECK(load_text(config).valid == "789");
  config.valid = folder.file("valid.txt", "abc");
  CHECK(load_text(config).train == "0123456789");
  CHECK(load_text(config).valid == "abc");
}

TEST_CASE("a fingerprint notices a changed id, a changed label, a moved border and another second text") {
  ClassifyData data;
  data.sequences = {{1, 2}, {3}};
  data.labels = {0, 1};
  const std::string before = data.fingerprint();
  CHECK(before.size() == 16);
  CHECK(data.fingerprint() == before);
  data.labels = {1, 0};
  CHECK(data.fingerprint() != before);
  data.labels = {0, 1};
  data.sequences = {{1}, {2, 3}};
  CHECK(data.fingerprint() != before);
  data.sequences = {{1, 2}, {3}};
  data.second_sequences = {{4}, {5}};
  const std::string of_pairs = data.fingerprint();
  CHECK(of_pairs != before);
  data.second_sequences = {{5}, {4}};
  CHECK(data.fingerprint() != of_pairs);

  // The published test vector of FNV-1a.
  Fingerprint fingerprint;
  fingerprint.add(std::string_view("foobar"));
  CHECK(fingerprint.hex() == "85944171f73967e8");
}
