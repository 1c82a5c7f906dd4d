// The ListOps generator and its files.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <lintel/train/listops.hpp>
#include <lintel/train/text_table.hpp>
#include <map>
#include <set>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

ListOpsConfig sized(ListOpsConfig config, std::int64_t train, std::int64_t valid = 0, std::int64_t test = 0) {
  config.train = train;
  config.valid = valid;
  config.test = test;
  return config;
}

/// What can be counted in an expression without evaluating it.
struct Shape {
  std::int64_t tokens = 0;
  int depth = 0, fewest_arguments = 1000, most_arguments = 0;
  std::map<std::string, int> operators;
};

Shape shape_of(const std::string& source) {
  Shape shape;
  std::vector<int> arguments = {0};  // of the operators that are open, below a root that holds the expression
  std::istringstream tokens(source);
  for (std::string token; tokens >> token;) {
    if (token == "(" || token == ")") continue;
    ++shape.tokens;
    if (token == "]") {
      shape.fewest_arguments = std::min(shape.fewest_arguments, arguments.back());
      shape.most_arguments = std::max(shape.most_arguments, arguments.back());
      arguments.pop_back();
      continue;
    }
    ++arguments.back();
    shape.depth = std::max(shape.depth, static_cast<int>(arguments.size()));
    if (token[0] != '[') continue;
    ++shape.operators[token];
    arguments.push_back(0);
  }
  return shape;
}

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::string all_sources(const ListOpsSplits& splits) {
  std::string text;
  for (const auto* part : {&splits.train, &splits.valid, &splits.test}) {
    for (const auto& example : *part) text += example.source() + "\t" + std::to_string(example.target()) + "\n";
  }
  return text;
}

void check_file_of_values(const std::string& name, std::size_t rows_wanted) {
  const auto path = test_data("listops/" + name);
  if (path.empty()) return;
  const auto rows = read_text_table(path, {.text_column = "2", .label_column = "1"});
  CHECK(rows.size() == rows_wanted);
  for (const TextRow& row : rows) {
    CAPTURE(row.line);
    REQUIRE(std::to_string(evaluate_listops(row.text)) == row.label);
  }
}

}  // namespace

TEST_CASE("expressions evaluate by the rules") {
  CHECK(evaluate_listops("7") == 7);
  CHECK(evaluate_listops("[MIN 4 2 9 ]") == 2);
  CHECK(evaluate_listops("[MAX 4 2 9 ]") == 9);
  CHECK(evaluate_listops("[MED 4 2 9 ]") == 4);
  CHECK(evaluate_listops("[MED 1 9 2 4 ]") == 3);
  CHECK(evaluate_listops("[MED 1 9 2 5 ]") == 3);  // 3.5 truncated
  CHECK(evaluate_listops("[SM 4 2 9 ]") == 5);
  CHECK(evaluate_listops("[FIRST 4 2 9 ]") == 4);
  CHECK(evaluate_listops("[LAST 4 2 9 ]") == 9);
  CHECK(evaluate_listops(" [SM [MAX 3 [MIN 8 9 ] ]\t5 ]\n") == 3);
  CHECK(evaluate_listops("( ( ( ( [MAX 1 ) ( ( ( [SM 9 ) 9 ) ] ) ) 2 ) ] )") == 8);
}

TEST_CASE("the values that published files state are those of their expressions") {
  check_file_of_values("nyu_train_d20s_sample.tsv.gz", 30);
  check_file_of_values("nyu_d20a.tsv.gz", 9951);
  check_file_of_values("nyu_d20.tsv.gz", 9982);
}

TEST_CASE("what is not an expression is an error that says why") {
  auto reason = [](const std::string& source) { return error_of([&] { evaluate_listops(source); }); };
  CHECK(reason("") == "listops: not an expression: it is empty");
  CHECK(contains(reason("( )"), "it is empty"));
  CHECK(contains(reason("[MAX 1 2"), "it ends before its last closing bracket"));
  CHECK(contains(reason("[MAX ]"), "[MAX has no arguments"));
  CHECK(contains(reason("]"), "a closing bracket without an operator"));
  CHECK(contains(reason("1 2"), "it goes on after its end with \"2\""));
  CHECK(contains(reason("[AVG 1 2 ]"), "unknown token \"[AVG\""));
  CHECK(contains(reason("[MAX 1 12 ]"), "unknown token \"12\""));
}

TEST_CASE("deeply nested input does not exhaust the stack") {
  std::string source;
  for (int i = 0; i < 200'000; ++i) source += "[MAX ";
  source += "5";
  for (int i = 0; i < 200'000; ++i) source += " ]";
  CHECK(evaluate_listops(source) == 5);
}

TEST_CASE("generated expressions have the depth, arguments and operators of the rules") {
  const auto splits = generate_listops(sized({}, 300));
  Shape all;
  for (const auto& example : splits.train) {
    const Shape shape = shape_of(example.source(false));
    REQUIRE(shape.tokens > 500);
    REQUIRE(shape.tokens < 2000);
    all.depth = std::max(all.depth, shape.depth);
    all.fewest_arguments = std::min(all.fewest_arguments, shape.fewest_arguments);
    all.most_arguments = std::max(all.most_arguments, shape.most_arguments);
    for (const auto& [name, count] : shape.operators) all.operators[name] += count;
  }
  CHECK(all.depth == 10);
  CHECK(all.fewest_arguments == 2);
  CHECK(all.most_arguments == 10);
  REQUIRE(all.operators.size() == 4);
  for (const char* name : {"[MIN", "[MAX", "[MED", "[SM"}) {
    CAPTURE(name);
    CHECK(all.operators[name] >
          0.24 * (all.operators["[MIN"] + all.operators["[MAX"] + all.operators["[MED"] + all.operators["[SM"]));
  }
}

TEST_CASE("about one root in twelve has an accepted length, and the mean length is near 1035") {
  const auto splits = generate_listops(sized({}, 3000));
  double tokens = 0;
  for (const auto& example : splits.train) tokens += static_cast<double>(shape_of(example.source(false)).tokens);
  CHECK(tokens / 3000 == doctest::Approx(1035).epsilon(0.03));
  CHECK(3000 / static_cast<double>(splits.roots_drawn) == doctest::Approx(0.0832).epsilon(0.06));
}

TEST_CASE("short expressions keep their window and depth") {
  const auto splits = generate_listops(sized(ListOpsConfig::short_variant(), 4000));
  Shape all;
  for (const auto& example : splits.train) {
    const Shape shape = shape_of(example.source(false));
    REQUIRE(shape.tokens >= 8);
    REQUIRE(shape.tokens <= 40);
    all.depth = std::max(all.depth, shape.depth);
    all.most_arguments = std::max(all.most_arguments, shape.most_arguments);
  }
  CHECK(all.depth == 3);
  CHECK(all.most_arguments == 5);
}

TEST_CASE("targets are the values of the sources, with and without parentheses") {
  const auto splits = generate_listops(sized(ListOpsConfig::short_variant(), 3000));
  std::set<int> targets;
  for (const auto& example : splits.train) {
    REQUIRE(evaluate_listops(example.source(false)) == example.target());
    REQUIRE(evaluate_listops(example.source(true)) == example.target());
    targets.insert(example.target());
  }
  CHECK(targets.size() == 10);
}

TEST_CASE("parentheses pair an operator with its arguments one by one") {
  // Built by the rule: ( is opened for each argument and the closing bracket, and closed after it.
  auto with_parentheses = [](const std::vector<std::string>& arguments, const std::string& name) {
    std::string source = name;
    for (const std::string& argument : arguments) source = "( " + source + " " + argument + " )";
    return "( " + source + " ] )";
  };
  CHECK(with_parentheses({"1", "2"}, "[MAX") == "( ( ( [MAX 1 ) 2 ) ] )");
  const ListOpsExample example(
      "M\x02"
      "1d\x03"
      "234",
      3);
  CHECK(example.source(false) == "[MAX 1 [MED 2 3 4 ] ]");
  CHECK(example.source() == with_parentheses({"1", with_parentheses({"2", "3", "4"}, "[MED")}, "[MAX"));
}

TEST_CASE("no expression occurs twice across the parts") {
  const auto splits = generate_listops(sized(ListOpsConfig::short_variant(), 5000, 700, 300));
  CHECK(splits.train.size() == 5000);
  CHECK(splits.valid.size() == 700);
  CHECK(splits.test.size() == 300);
  std::set<std::string> distinct;
  for (const auto* part : {&splits.train, &splits.valid, &splits.test}) {
    for (const auto& example : *part) distinct.insert(example.source());
  }
  CHECK(distinct.size() == 6000);
}

TEST_CASE("the parts look alike, though common expressions are found first") {
  const auto splits = generate_listops(sized(ListOpsConfig::short_variant(), 20'000, 0, 20'000));
  auto mean_tokens = [](const std::vector<ListOpsExample>& examples) {
    double tokens = 0;
    for (const auto& example : examples) tokens += static_cast<double>(shape_of(example.source(false)).tokens);
    return tokens / static_cast<double>(examples.size());
  };
  CHECK(std::fabs(mean_tokens(splits.train) - mean_tokens(splits.test)) < 0.25);
}

TEST_CASE("a seed gives the same expressions on every platform, another seed others") {
  ListOpsConfig config = sized(ListOpsConfig::short_variant(), 50, 5, 5);
  const std::string once = all_sources(generate_listops(config));
  CHECK(once == all_sources(generate_listops(config)));
  CHECK(fnv1a(once) == 15154904913148201219u);
  CHECK(fnv1a(all_sources(generate_listops(sized({}, 3)))) == 12610608145573659558u);
  config.seed = 2;
  CHECK(once != all_sources(generate_listops(config)));
}

TEST_CASE("settings that make no sense or leave no expression are errors") {
  auto reason = [](const ListOpsConfig& config) { return error_of([&] { generate_listops(config); }); };
  ListOpsConfig config = sized(ListOpsConfig::short_variant(), 10);
  CHECK(contains(reason(sized(config, -1)), "numbers of examples must be from 0 to 10^9, got -1"));
  auto with = [&](auto change) {
    ListOpsConfig changed = config;
    change(changed);
    return reason(changed);
  };
  CHECK(contains(with([](auto& c) { c.max_depth = 0; }), "max_depth must be from 1 to 1000, got 0"));
  CHECK(contains(with([](auto& c) { c.operator_probability = 1.5; }), "operator_probability must be from 0 to 1"));
  CHECK(contains(with([](auto& c) { c.operator_probability = std::nan(""); }), "operator_probability must be"));
  CHECK(contains(with([](auto& c) { c.min_arguments = 0; }), "min_arguments must be at least 1, got 0"));
  CHECK(contains(with([](auto& c) { c.max_arguments = 1; }), "max_arguments must be from min_arguments to 127"));
  CHECK(contains(with([](auto& c) { c.min_tokens = -2; }), "min_tokens must be at least 1, got -2"));
  CHECK(contains(with([](auto& c) { c.max_tokens = 7; }), "max_tokens must be from min_tokens to 1000000, got 7"));
  CHECK(contains(with([](auto& c) { c.min_tokens = c.max_tokens = 1000; }),
                 "found 0 of 10 distinct expressions of 1000 to 1000 tokens"));
  // Ten digits are all there is.
  config.operator_probability = 0;
  config.min_tokens = 1;
  config.train = 11;
  CHECK(contains(reason(config), "found 10 of 11 distinct expressions"));
}

TEST_CASE("an explosive setting ends, because what is too long is given up") {
  ListOpsConfig config = sized({}, 1);
  config.max_depth = 1000;
  config.operator_probability = 1;
  config.max_tokens = 600;
  CHECK(contains(error_of([&] { generate_listops(config); }), "found 0 of 1"));
}

TEST_CASE("a written file has the published form and reads back") {
  const TemporaryFolder folder;
  const auto splits = generate_listops(sized(ListOpsConfig::short_variant(), 20));
  const auto path = folder.path() / "train.tsv";
  write_listops(path, splits.train);
  const std::string bytes = bytes_of(path);
  CHECK(bytes.starts_with("Source\tTarget\n( ( "));
  CHECK(bytes.ends_with("\n"));
  const auto rows = read_text_table(path, {.text_column = "Source", .label_column = "Target", .header = true});
  REQUIRE(rows.size() == 20);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].text == splits.train[i].source());
    CHECK(rows[i].label == std::to_string(splits.train[i].target()));
  }
  write_listops(path, splits.train, false);
  CHECK(!contains(bytes_of(path), "("));
}

TEST_CASE("the root of an expression is its first token that is no parenthesis") {
  CHECK(listops_root("( ( ( [MAX 1 ) 2 ) ] )") == "[MAX");
  CHECK(listops_root("[SM 1 2 ]") == "[SM");
  CHECK(listops_root("7") == "7");
  CHECK(listops_root("").empty());
}
