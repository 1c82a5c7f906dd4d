#include <algorithm>
#include <array>
#include <lintel/core/error.hpp>
#include <lintel/train/listops.hpp>
#include <lintel/train/listops_rules.hpp>
#include <numeric>
#include <optional>

namespace lintel::train {
namespace {

constexpr std::array<std::string_view, 6> operator_tokens = {"[MIN", "[MAX", "[MED", "[SM", "[FIRST", "[LAST"};

int median_truncated(std::vector<int>& digits) {
  std::sort(digits.begin(), digits.end());
  const std::size_t middle = digits.size() / 2;
  return digits.size() % 2 == 1 ? digits[middle] : (digits[middle - 1] + digits[middle]) / 2;
}

// An operator whose closing bracket has not come yet.
struct OpenList {
  ListOpsOperator which;
  std::vector<int> arguments;
};

[[noreturn]] void fail_evaluation(const std::string& what) { fail("listops: not an expression: ", what); }

std::optional<ListOpsOperator> operator_of_token(std::string_view token) {
  const auto found = std::find(operator_tokens.begin(), operator_tokens.end(), token);
  if (found == operator_tokens.end()) return std::nullopt;
  return static_cast<ListOpsOperator>(found - operator_tokens.begin());
}

// The next token of `rest` that is not a parenthesis, cut off from it; empty at the end. The brackets of the operators
// already say what belongs together, so parentheses carry nothing.
std::string_view next_token(std::string_view& rest) {
  constexpr std::string_view white_space = " \t\r\n";
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(white_space), rest.size()));
    const std::string_view token = rest.substr(0, rest.find_first_of(white_space));
    rest.remove_prefix(token.size());
    if (token != "(" && token != ")") return token;
  }
}

int close_list(std::vector<OpenList>& open) {
  if (open.empty()) fail_evaluation("a closing bracket without an operator");
  OpenList list = std::move(open.back());
  open.pop_back();
  if (list.arguments.empty()) {
    fail_evaluation(std::string(listops_operator_token(list.which)) + " has no arguments");
  }
  return apply_listops(list.which, list.arguments);
}

}  // namespace

std::string_view listops_operator_token(ListOpsOperator which) {
  return operator_tokens[static_cast<std::size_t>(which)];
}

int apply_listops(ListOpsOperator which, std::vector<int>& arguments) {
  switch (which) {
    case ListOpsOperator::minimum:
      return *std::min_element(arguments.begin(), arguments.end());
    case ListOpsOperator::maximum:
      return *std::max_element(arguments.begin(), arguments.end());
    case ListOpsOperator::median:
      return median_truncated(arguments);
    case ListOpsOperator::sum:
      return std::accumulate(arguments.begin(), arguments.end(), 0) % 10;
    case ListOpsOperator::first:
      return arguments.front();
    case ListOpsOperator::last:
      return arguments.back();
  }
  fail("listops: unknown operator");
}

int evaluate_listops(std::string_view source) {
  std::vector<OpenList> open;
  std::optional<int> result;
  for (auto token = next_token(source); !token.empty(); token = next_token(source)) {
    if (result) fail_evaluation("it goes on after its end with \"" + std::string(token) + "\"");
    if (const auto which = operator_of_token(token)) {
      open.push_back({*which, {}});
      continue;
    }
    const bool is_digit = token.size() == 1 && token[0] >= '0' && token[0] <= '9';
    if (!is_digit && token != "]") fail_evaluation("unknown token \"" + std::string(token) + "\"");
    const int value = is_digit ? token[0] - '0' : close_list(open);
    if (open.empty()) {
      result = value;
    } else {
      open.back().arguments.push_back(value);
    }
  }
  if (!result) fail_evaluation(open.empty() ? "it is empty" : "it ends before its last closing bracket");
  return *result;
}

std::string_view listops_root(std::string_view source) { return next_token(source); }

}  // namespace lintel::train
