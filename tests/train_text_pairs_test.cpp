// Pairs of texts: reading them, their tokens, exact matches, and the pronouncing dictionary that some come from.
#include <doctest/doctest.h>

#include <algorithm>
#include <lintel/train/cmudict.hpp>
#include <lintel/train/evaluate_pairs.hpp>
#include <lintel/train/text_pairs.hpp>
#include <set>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

std::set<std::string> words_of(const std::vector<Pronunciation>& entries) {
  std::set<std::string> words;
  for (const Pronunciation& entry : entries) words.insert(entry.word);
  return words;
}

}  // namespace

TEST_CASE("pairs stand in two columns of a table or line by line in two files") {
  const TemporaryFolder folder;
  RunConfig config;
  config.source_column = "3";
  config.target_column = "1";
  const std::string table = folder.file("pairs.tsv", "Ziel\tx\tQuelle\neins\tx\tone\n");
  const std::vector<TextRow> rows = read_text_pairs({.table = table}, config);
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].text == "one");
  CHECK(rows[1].label == "eins");
  const std::string source = folder.file("a.de", "ein Hund\n\neine\tKatze\n"),
                    target = folder.file("a.en", "a dog\nx\na cat\n");
  const std::vector<TextRow> lines = read_text_pairs({.source = source, .target = target}, config);
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].text.empty());
  CHECK(lines[1].label == "x");
  CHECK(lines[2].text == "eine\tKatze");
  const std::string shorter = folder.file("b.en", "a dog\n");
  CHECK(contains(error_of([&] { read_text_pairs({.source = source, .target = shorter}, config); }),
                 "a.de has 3 lines and " + shorter + " 1, as many of both wanted"));
}

TEST_CASE("the end of the training pairs is held out unless validation files are given") {
  const TemporaryFolder folder;
  RunConfig config;
  config.data = folder.file("pairs.tsv", "a\t1\nb\t2\nc\t3\nd\t4\n");
  config.valid_fraction = 0.25;
  SplitPairs pairs = read_split_pairs(config);
  CHECK(pairs.train.size() == 3);
  CHECK(pairs.valid.front().text == "d");
  config.valid_source = folder.file("v.de", "x\n");
  config.valid_target = folder.file("v.en", "y\n");
  pairs = read_split_pairs(config);
  CHECK(pairs.train.size() == 4);
  CHECK(pairs.valid.front().label == "y");
}

TEST_CASE("each side has its own tokeniser, and long texts are cut and counted") {
  RunConfig config;
  config.tokeniser = "byte";
  config.target_tokeniser = "whitespace";
  const std::vector<TextRow> rows = {{"cat", "K AE1 T", "", 1}, {"", "", "", 2}, {"catcat", "K K K K K K", "", 3}};
  const RunVocabulary vocabulary = build_pair_vocabulary(config, rows);
  CHECK(vocabulary.tokeniser.is_bytes());
  CHECK(vocabulary.target_tokeniser->vocabulary_size() == 2 + 3);
  const PairData data = encode_pairs(rows, vocabulary, 4);
  CHECK(data.sources[0] == std::vector<std::int64_t>{'c', 'a', 't'});
  CHECK(vocabulary.target_tokeniser->decode(data.targets[0]) == "K AE1 T");
  CHECK(data.sources[1] == std::vector<std::int64_t>{Tokeniser::padding_id});
  CHECK(data.targets[1].empty());
  CHECK(data.sources[2].size() == 4);
  CHECK(data.truncated == 2);
  CHECK(data.lengths() == std::vector<std::int64_t>{3 + 3 + 1, 1 + 1, 4 + 4 + 1});
  config.target_tokeniser = "same";
  CHECK(build_pair_vocabulary(config, rows).target_tokeniser->is_bytes());
}

TEST_CASE("any target of a source is an exact match, and a source counts once") {
  const Tokeniser tokeniser = Tokeniser::words({"T AH0 M EY1 T OW2 M AA1"}, {.split = WordSplit::whitespace});
  const std::vector<TextRow> rows = {{"tomato", "T AH0 M EY1 T OW2", "", 1},
                                     {"tomato", "T AH0 M AA1 T OW2", "", 2},
                                     {"toe", "T OW2", "", 3},
                                     {"unknown", "ZH", "", 4}};
  const auto second = tokeniser.encode(rows[1].label), empty = tokeniser.encode("");
  ExactMatches matches = count_exact_matches(rows, {second, second, empty, empty}, tokeniser);
  CHECK(matches.sources == 3);
  CHECK(matches.right == 1);
  matches = count_exact_matches(rows, {empty, empty, tokeniser.encode("T OW2"), empty}, tokeniser);
  CHECK(matches.right == 1);
  CHECK(matches.share() == doctest::Approx(1.0 / 3));
}

TEST_CASE("the dictionary is read without comments, and variants are pronunciations of one word") {
  const TemporaryFolder folder;
  const auto entries = read_cmudict(folder.file(
      "dict", ";;; comment\naalborg\tAO1 L B # place, danish\nread  R EH1 D\nread(2)\tR IY1 D\n\na(b)\tEY1\n(1)\tW\n"));
  REQUIRE(entries.size() == 5);
  CHECK(entries[0].word == "aalborg");
  CHECK(entries[0].phones == "AO1 L B");
  CHECK(entries[2].word == "read");
  CHECK(entries[2].phones == "R IY1 D");
  CHECK(entries[3].word == "a(b)");
  CHECK(entries[4].word == "(1)");
  CHECK(contains(error_of([&] { read_cmudict(folder.file("bad", "a\tEY1\nb # nothing\n")); }),
                 "line 2: b has no pronunciation"));
  CHECK(contains(error_of([&] { read_cmudict(folder.file("none", ";;;\n")); }), "has no entry"));
}

TEST_CASE("a tenth of the words is held out for the test and a hundredth for validation, all variants together") {
  std::vector<Pronunciation> entries;
  for (int i = 0; i < 1000; ++i) {
    for (int variant = 0; variant <= i % 2; ++variant) entries.push_back({"w" + std::to_string(i), "AH0"});
  }
  const PronunciationSplits splits = split_by_word(entries, 1);
  const auto train = words_of(splits.train), valid = words_of(splits.valid), test = words_of(splits.test);
  CHECK(train.size() == 890);
  CHECK(valid.size() == 10);
  CHECK(test.size() == 100);
  CHECK(splits.train.size() + splits.valid.size() + splits.test.size() == entries.size());
  for (const std::string& word : test) CHECK((!train.contains(word) && !valid.contains(word)));
  std::vector<Pronunciation> reversed(entries.rbegin(), entries.rend());
  CHECK(words_of(split_by_word(reversed, 1).test) == test);
  CHECK(words_of(split_by_word(entries, 2).test) != test);
}
