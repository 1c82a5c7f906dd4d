// Text to ids and back, and labels to classes and back.
#include <doctest/doctest.h>

#include <algorithm>
#include <lintel/train/labels.hpp>
#include <lintel/train/listops.hpp>
#include <lintel/train/tokeniser.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

using Ids = std::vector<std::int64_t>;
using Words = std::vector<std::string>;

/// The tokeniser after a trip through a file.
Tokeniser saved_and_loaded(const Tokeniser& tokeniser) {
  const TemporaryFolder folder;
  tokeniser.save(folder.path() / "tokeniser.json");
  return Tokeniser::load(folder.path() / "tokeniser.json");
}

}  // namespace

TEST_CASE("text is split into words by each of the rules") {
  CHECK(split_words("It's 3 o'CLOCK, Zoë!", WordSplit::alphanumeric) == Words{"it", "s", "3", "o", "clock", "zo"});
  CHECK(split_words(" It's\t(fine)\r\n( x )", WordSplit::whitespace) == Words{"It's", "(fine)", "(", "x", ")"});
  CHECK(split_words("( ( ( [MAX 1 ) 2 ) ] )", WordSplit::listops) == Words{"[MAX", "1", "2", "]"});
  CHECK(split_words("", WordSplit::alphanumeric).empty());
  CHECK(split_words(" ,;", WordSplit::alphanumeric).empty());
}

TEST_CASE("the rules have names") {
  for (const auto split : {WordSplit::alphanumeric, WordSplit::whitespace, WordSplit::listops, WordSplit::mteval_13a}) {
    CHECK(word_split_named(word_split_name(split)) == split);
  }
  CHECK(error_of([] { word_split_named("syllables"); }) ==
        "word split: \"syllables\" is unknown, wanted alphanumeric, whitespace, listops or 13a");
}

TEST_CASE("every text survives the byte tokeniser") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const Tokeniser& tokeniser : {Tokeniser::bytes(), saved_and_loaded(Tokeniser::bytes())}) {
    CHECK(tokeniser.is_bytes());
    CHECK(tokeniser.vocabulary_size() == 256);
    const Ids ids = tokeniser.encode(all);
    REQUIRE(ids.size() == 256);
    CHECK(ids[0] == 0);
    CHECK(ids[255] == 255);
    CHECK(tokeniser.decode(ids) == all);
  }
  CHECK(Tokeniser::bytes().encode("abcdef", 2) == Ids{'a', 'b'});
  CHECK(Tokeniser::bytes().encode("").empty());
}

TEST_CASE("a vocabulary is ordered by frequency, then by bytes") {
  const auto tokeniser = Tokeniser::words({"b a c", "c b C", "d"});
  CHECK(!tokeniser.is_bytes());
  CHECK(tokeniser.vocabulary_size() == 6);
  CHECK(tokeniser.encode("c b a d") == Ids{2, 3, 4, 5});
}

TEST_CASE("an unknown word has the unknown id, in order") {
  const auto tokeniser = Tokeniser::words({"a b"});
  CHECK(tokeniser.encode("a zebra b") == Ids{2, 1, 3});
  CHECK(tokeniser.encode("a zebra b", 2) == Ids{2, 1});
  CHECK(tokeniser.encode("!?").empty());
}

TEST_CASE("a vocabulary obeys its largest size and least count") {
  const std::vector<std::string_view> texts = {"a a a b b c", "d"};
  CHECK(Tokeniser::words(texts, {.max_size = 4}).vocabulary_size() == 4);
  CHECK(Tokeniser::words(texts, {.max_size = 4}).encode("a b c d") == Ids{2, 3, 1, 1});
  CHECK(Tokeniser::words(texts, {.min_count = 2}).encode("a b c d") == Ids{2, 3, 1, 1});
  CHECK(Tokeniser::words(texts, {.max_size = 100, .min_count = 4}).vocabulary_size() == 2);
  CHECK(contains(error_of([&] { Tokeniser::words(texts, {.max_size = 2}); }), "has no room for a word"));
}

TEST_CASE("ListOps has a vocabulary of 17") {
  ListOpsConfig config = ListOpsConfig::short_variant();
  config.train = 2000;
  config.valid = config.test = 0;
  const auto splits = generate_listops(config);
  std::vector<std::string> sources;
  for (const auto& example : splits.train) sources.push_back(example.source());
  const auto tokeniser = Tokeniser::words({sources.begin(), sources.end()}, {.split = WordSplit::listops});
  CHECK(tokeniser.vocabulary_size() == 17);
  CHECK(tokeniser.decode(tokeniser.encode(sources[0])) == splits.train[0].source(false));
  const Ids ids = tokeniser.encode(sources[0]);
  CHECK(std::count(ids.begin(), ids.end(), Tokeniser::unknown_id) == 0);
}

TEST_CASE("ids decode to words, without padding") {
  const auto tokeniser = Tokeniser::words({"a b"});
  CHECK(tokeniser.decode({2, 0, 1, 3, 0}) == "a <unknown> b");
  CHECK(tokeniser.decode({}).empty());
  CHECK(error_of([&] { tokeniser.decode({2, 4}); }) == "tokeniser: id 4 is outside the vocabulary of 4");
  CHECK(contains(error_of([&] { tokeniser.decode({-1}); }), "id -1 is outside"));
  CHECK(contains(error_of([] { Tokeniser::bytes().decode({256}); }), "id 256 is outside the vocabulary of 256"));
}

TEST_CASE("a word tokeniser is the same after a trip through a file") {
  const auto before = Tokeniser::words({"Größe [MAX ( b \"quoted\" \\"}, {.split = WordSplit::whitespace});
  const auto after = saved_and_loaded(before);
  CHECK(after.vocabulary_size() == before.vocabulary_size());
  const std::string text = "\\ \"quoted\" ( b Größe nothing [MAX";
  CHECK(after.encode(text) == before.encode(text));
  CHECK(after.decode(after.encode(text)) == "\\ \"quoted\" ( b Größe <unknown> [MAX");
}

TEST_CASE("numbers are the ids themselves, and nothing else is a token") {
  const auto tokeniser = saved_and_loaded(Tokeniser::numbers(512));
  CHECK(tokeniser.vocabulary_size() == 512);
  CHECK(!tokeniser.is_bytes());
  CHECK(tokeniser.encode(" 1 403\n0 511") == std::vector<std::int64_t>{1, 403, 0, 511});
  CHECK(tokeniser.encode("1 403 0 511", 2) == std::vector<std::int64_t>{1, 403});
  CHECK(tokeniser.decode({0, 1, 511}) == "0 1 511");
  for (const std::string word : {"512", "-1", "1x", "one", "99999999999999999999"}) {
    CHECK(contains(error_of([&] { tokeniser.encode("7 " + word); }), "\"" + word + "\" is not a token"));
  }
  CHECK(contains(error_of([&] { tokeniser.decode({512}); }), "id 512 is outside the vocabulary of 512"));
  CHECK(contains(error_of([] { Tokeniser::numbers(0); }), "a vocabulary of 0 numbers"));
}

TEST_CASE("words that are not UTF-8 make no vocabulary") {
  CHECK(contains(error_of([] { Tokeniser::words({"a\xFF"}, {.split = WordSplit::whitespace}); }), "is not UTF-8"));
}

TEST_CASE("a file that is not a tokeniser is an error that names it") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "tokeniser.json";
  auto load_error = [&](const std::string& bytes) {
    folder.file("tokeniser.json", bytes);
    return error_of([&] { Tokeniser::load(path); });
  };
  const std::string start = "read: " + path.string() + " is not a file of the format \"lintel tokeniser\": ";
  CHECK(contains(error_of([&] { Tokeniser::load(path); }), "cannot open"));
  for (const std::string bytes : {"", "{", "[1, 2]", "{\"format\": 3}", "\xFF\xFE"})
    CHECK(load_error(bytes).starts_with(start));
  CHECK(load_error(R"({"format": "lintel labels", "version": 1})") == start + "its format is \"lintel labels\"");
  const std::string head = R"({"format": "lintel tokeniser", "version": 1, "kind": )";
  CHECK(contains(load_error(R"({"format": "lintel tokeniser", "version": 2})"),
                 "its version is 2, this program reads 1"));
  CHECK(contains(load_error(head + R"("syllables"})"), "its kind is \"syllables\""));
  CHECK(load_error(head + R"("words", "split": "whitespace"})").starts_with(start));
  CHECK(contains(load_error(head + R"("words", "split": "odd", "words": []})"), "\"odd\" is unknown"));
  CHECK(load_error(head + R"("words", "split": "whitespace", "words": ["a", 1]})").starts_with(start));
  CHECK(contains(load_error(head + R"("words", "split": "whitespace", "words": ["a", "a"]})"), "\"a\" occurs twice"));
}

TEST_CASE("labels are classes in byte order, or in numeric order if all are numbers") {
  const auto words = Labels::of({"sport", "World", "business", "sport", "10"});
  REQUIRE(words.size() == 4);
  CHECK(words.name(0) == "10");
  CHECK(words.name(1) == "World");
  CHECK(words.index("sport") == 3);
  const auto numbers = Labels::of({"10", "9", "-1", "2.5", "10"});
  REQUIRE(numbers.size() == 4);
  CHECK(numbers.name(0) == "-1");
  CHECK(numbers.index("2.5") == 1);
  CHECK(numbers.index("10") == 3);
}

TEST_CASE("a label that is not there is an error that lists those that are") {
  const auto labels = Labels::of({"2", "1", "3"});
  CHECK(error_of([&] { labels.index("7"); }) == "labels: \"7\" is none of the 3 classes (1, 2, 3)");
  CHECK(error_of([&] { labels.name(3); }) == "labels: class 3 is outside the 3 classes");
  CHECK(contains(error_of([&] { labels.name(-1); }), "class -1"));
  CHECK(contains(error_of([] { Labels::of({}); }), "got no labels"));
  CHECK(contains(error_of([] { Labels::of({"\xFF"}); }), "not UTF-8"));
}

TEST_CASE("labels are the same after a trip through a file, and another file is an error") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "labels.json";
  Labels::of({"10", "9", "ä"}).save(path);
  const auto labels = Labels::load(path);
  CHECK(labels.size() == 3);
  CHECK(labels.name(0) == "10");
  CHECK(labels.index("ä") == 2);
  auto load_error = [&](const std::string& list) {
    folder.file("labels.json", R"({"format": "lintel labels", "version": 1, "labels": )" + list + "}");
    return error_of([&] { Labels::load(path); });
  };
  CHECK(contains(load_error("[]"), "it has no labels"));
  CHECK(contains(load_error(R"(["a", "a"])"), "a label occurs twice"));
  CHECK(contains(load_error("[1, 2]"), "is not a file of the format \"lintel labels\""));
}
