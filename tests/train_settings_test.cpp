#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <lintel/train/near_names.hpp>
#include <lintel/train/settings.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using lintel_test::contains;
using lintel_test::error_of;
using Json = nlohmann::ordered_json;

namespace {

RunConfig complete_config() {
  RunConfig config;
  config.data = "rows.tsv";
  config.out = "run";
  return config;
}

}  // namespace

TEST_CASE("edit distance counts insertions, deletions, substitutions and exchanges") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("hidden", "hiden") == 1);
  CHECK(edit_distance("steps", "setps") == 1);
  CHECK(edit_distance("abcd", "acbd") == 1);
}

TEST_CASE("near names come nearest first, and nothing comes for a word that resembles none") {
  const std::vector<std::string> names = {"hidden", "heads", "header", "learning_rate", "lm", "seed"};
  CHECK(near_names("hiden", names) == std::vector<std::string>{"hidden"});
  CHECK(near_names("head", names) == std::vector<std::string>{"heads", "header", "seed"});
  CHECK(near_names("Learning-Rate", names).front() == "learning_rate");
  CHECK(near_names("learn", names) == std::vector<std::string>{"learning_rate"});
  CHECK(near_names("zzzzzz", names).empty());
  CHECK(near_names("xy", names).empty());
  CHECK(did_you_mean("hiden", names) == "; did you mean hidden?");
  CHECK(did_you_mean("head", names) == "; did you mean heads, header or seed?");
  CHECK(did_you_mean("zzzzzz", names).empty());
}

TEST_CASE("settings survive the way to JSON and back") {
  RunConfig config = complete_config();
  config.hidden = 96;
  config.learning_rate = 0.1 + 0.2;
  config.seed = 0xffffffffffffffffu;
  config.header = true;
  RunConfig copy;
  merge(copy, Json::parse(to_json(config).dump()), "test");
  CHECK(to_json(copy) == to_json(config));
  CHECK(copy.learning_rate == config.learning_rate);
  CHECK(copy.seed == config.seed);
}

TEST_CASE("merging overwrites what is named, under either spelling, and nothing else") {
  RunConfig config = complete_config();
  merge(config, Json::parse(R"({"learning-rate": 1, "batch_tokens": 7})"), "test");
  CHECK(config.learning_rate == 1);
  CHECK(config.batch_tokens == 7);
  CHECK(config.data == "rows.tsv");
}

TEST_CASE("values of another type and unknown names are errors that say what is wanted") {
  RunConfig config;
  auto error = [&](const char* json) { return error_of([&] { merge(config, Json::parse(json), "file.json"); }); };
  CHECK(error(R"({"hiden": 1})") == "file.json: there is no setting \"hiden\"; did you mean hidden?");
  CHECK(error(R"({"hidden": 1.5})") == "file.json: hidden wants a whole number, got 1.5");
  CHECK(error(R"({"hidden": 18446744073709551615})") ==
        "file.json: hidden wants a whole number, got 18446744073709551615");
  CHECK(error(R"({"hidden": true})") == "file.json: hidden wants a whole number, got true");
  CHECK(error(R"({"seed": -1})") == "file.json: seed wants a whole number from 0, got -1");
  CHECK(error(R"({"header": 1})") == "file.json: header wants true or false, got 1");
  CHECK(error(R"({"dropout": "0.1"})") == "file.json: dropout wants a number, got \"0.1\"");
  CHECK(error(R"({"data": null})") == "file.json: data wants a string, got null");
  CHECK(error("[]") == "file.json: settings are a JSON object, got array");
}

TEST_CASE("settings out of range, or that do not fit each other, are named") {
  auto error = [](auto&& change) {
    RunConfig config = complete_config();
    change(config);
    return error_of([&] { check(config); });
  };
  CHECK(error([](RunConfig& c) { c.attention = "sofmax"; }) ==
        "settings: attention is kernel, softmax, got \"sofmax\"; did you mean softmax?");
  CHECK(error([](RunConfig& c) { c.dropout = 1; }) == "settings: dropout lies between 0 and 0.99, got 1");
  CHECK(contains(error([](RunConfig& c) { c.penalty = std::numeric_limits<double>::infinity(); }), "penalty"));
  CHECK(contains(error([](RunConfig& c) { c.learning_rate = std::numeric_limits<double>::quiet_NaN(); }), "got nan"));
  CHECK(contains(error([](RunConfig& c) { c.heads = 3; }), "multiple of heads"));
  CHECK(contains(error([](RunConfig& c) { c.accumulate = 33; }), "cannot be cut into 33 pieces"));
  CHECK(contains(error([](RunConfig& c) { c.steps = 0, c.epochs = 0; }), "steps and epochs"));
  CHECK(contains(error([](RunConfig& c) { c.data = ""; }), "data is missing"));
  check(complete_config());
}

TEST_CASE("a resumed run may change how it runs, not what it computes") {
  const RunConfig original = complete_config();
  RunConfig wanted = original;
  wanted.threads = 7;
  wanted.minutes = 2;
  wanted.steps = 40;
  check_resumable(original, wanted);
  wanted.learning_rate = 0.5;
  CHECK(error_of([&] { check_resumable(original, wanted); }) ==
        "resume: learning_rate is 0.001 in the run and cannot become 0.5");
}

TEST_CASE("every setting has a help text, and a name that is an identifier") {
  RunConfig config;
  std::size_t count = 0;
  for_each_setting(config, [&](const Setting& setting, auto&) {
    ++count;
    CHECK(!setting.help.empty());
    CHECK(!setting.group.empty());
    CHECK(std::string(setting.name).find('-') == std::string::npos);
  });
  CHECK(count == setting_names().size());
}
