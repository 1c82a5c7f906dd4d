// Runs the checks of op_checks.hpp for every row of op_table.hpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include <lintel/core/error.hpp>

#include "op_checks.hpp"
#include "op_table.hpp"

namespace lintel {

namespace {

void check_every_row(void (*check)(const op_table::OpRow&)) {
  REQUIRE_FALSE(op_table::all_rows().empty());
  for (const op_table::OpRow& row : op_table::all_rows()) {
    std::string problem;
    try {
      check(row);
    } catch (const std::exception& error) {
      problem = op_table::label(row) + ": " + error.what();
    }
    CHECK_MESSAGE(problem.empty(), problem);
  }
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("every op has the value of its reference, in both float types and at any alignment") {
  check_every_row(op_table::check_value);
}

TEST_CASE("every op's gradient agrees with finite differences, to second order") {
  check_every_row(op_table::check_gradient);
}

TEST_CASE("every fused op agrees with its definition, value and vjp") { check_every_row(op_table::check_definition); }

TEST_CASE("every op gives the same bits with one, two and seven threads") { check_every_row(op_table::check_threads); }

TEST_CASE("every op lets NaN and infinity through") { check_every_row(op_table::check_special_values); }

TEST_CASE("every op agrees with the baseline in every available instruction set") {
  check_every_row(op_table::check_instruction_sets);
}

TEST_CASE("every op answers wrong inputs with its sentence") { check_every_row(op_table::check_errors); }

TEST_CASE("the list of exported functions is read from a header's text") {
  const std::string header =
      "/// Tensor comment(x);\nTensor first(const Tensor& x);\ninline Tensor operator-(const Tensor& x) { return x; }\n"
      "  Tensor member() const;\nTensor\nShape other(const Tensor& x);\nTensor first(double x);\n";
  CHECK(op_table::exported_functions(header) == std::vector<std::string>{"first", "operator-", "first"});
}

TEST_CASE("every function that the ops' public headers export has a row") {
  const std::filesystem::path source = LINTEL_SOURCE_DIR;
  const std::string all_headers = text_of(source / "lintel.hpp");
  const std::regex include("#include <lintel/(ops/.+)>");
  std::size_t functions = 0;
  for (std::sregex_iterator match(all_headers.begin(), all_headers.end(), include), end; match != end; ++match) {
    const std::string header = (*match)[1];
    for (const std::string& function : op_table::exported_functions(text_of(source / header))) {
      ++functions;
      const auto& rows = op_table::all_rows();
      const bool has_row = std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.op == function; });
      CHECK_MESSAGE(has_row, function, " of ", header, " has no row");
    }
  }
  CHECK(functions > 40);
}

}  // namespace lintel
