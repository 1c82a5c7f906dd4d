// The operators of ListOps: their tokens and what they compute.
#pragma once

#include <string_view>
#include <vector>

namespace lintel::train {

/// Every operator that some published variant uses.
enum class ListOpsOperator { minimum, maximum, median, sum, first, last };

/// The token that opens a list of `which`: `[MIN`, `[MAX`, `[MED`, `[SM`, `[FIRST` or `[LAST`.
std::string_view listops_operator_token(ListOpsOperator which);

/// The value of `which` over `arguments` (digits, at least one): the median of an even number of arguments is the mean
/// of the middle two, truncated; a sum is taken modulo 10. Reorders `arguments`.
int apply_listops(ListOpsOperator which, std::vector<int>& arguments);

}  // namespace lintel::train
