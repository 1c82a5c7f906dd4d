// The guesses that a model must beat.
#include <doctest/doctest.h>

#include <lintel/train/baselines.hpp>
#include <lintel/train/listops.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

TEST_CASE("baselines are fitted on the training rows and scored on the test rows") {
  auto row = [](const char* text, const char* label) { return TextRow{text, label, "", 0}; };
  const std::vector<TextRow> train = {row("[MAX 9 1 ]", "9"), row("[MAX 9 2 ]", "9"), row("[MAX 3 2 ]", "3"),
                                      row("[MIN 0 1 ]", "0"), row("[MIN 0 2 ]", "0"), row("[MIN 5 0 ]", "0")};
  const std::vector<TextRow> test = {row("( ( ( [MAX 9 ) 4 ) ] )", "9"), row("[MAX 8 9 ]", "9"), row("[MIN 1 2 ]", "1"),
                                     row("[SM 5 5 ]", "0")};
  CHECK(majority_accuracy(train, test) == doctest::Approx(0.25));
  CHECK(root_operator_accuracy(train, test) == doctest::Approx(0.75));
  CHECK(majority_accuracy({row("a", "2"), row("b", "1")}, {row("c", "1")}) == 1.0);  // a tie: the first label
  CHECK(contains(error_of([&] { majority_accuracy(train, {}); }), "got 6 training and 0 test rows"));
  CHECK(contains(error_of([&] { root_operator_accuracy({}, test); }), "got 0 training and 4 test rows"));
}

TEST_CASE("the short variant's baselines are as low as they should be") {
  ListOpsConfig config = ListOpsConfig::short_variant();
  config.train = 20'000;
  config.valid = 0;
  const auto splits = generate_listops(config);
  auto rows_of = [](const std::vector<ListOpsExample>& examples) {
    std::vector<TextRow> rows;
    for (const auto& example : examples) rows.push_back({example.source(), std::to_string(example.target()), "", 0});
    return rows;
  };
  const auto train = rows_of(splits.train), test = rows_of(splits.test);
  CHECK(majority_accuracy(train, test) == doctest::Approx(0.113).epsilon(0.15));
  CHECK(root_operator_accuracy(train, test) == doctest::Approx(0.238).epsilon(0.1));
}
