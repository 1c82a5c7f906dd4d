// What the op table runs for every row; tests/op_table.hpp says what each check means.
#pragma once

#include "op_table.hpp"

namespace lintel::op_table {

/// Each throws an `Error` that names the row and the first thing that is wrong.
void check_value(const OpRow& row);
void check_gradient(const OpRow& row);
void check_definition(const OpRow& row);
void check_threads(const OpRow& row);
void check_special_values(const OpRow& row);
void check_instruction_sets(const OpRow& row);
void check_errors(const OpRow& row);

/// The functions returning a `Tensor` that a header declares or defines at the beginning of a line.
std::vector<std::string> exported_functions(const std::string& header_text);

}  // namespace lintel::op_table
