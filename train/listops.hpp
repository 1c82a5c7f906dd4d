// ListOps: nested operations on lists of digits, whose value is a digit. A task for long-range models.
// Source: Nangia, Bowman, "ListOps: a diagnostic dataset for latent tree learning", 2018; the rules and lengths are
// those of Tay et al., "Long Range Arena", 2021.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lintel::train {

/// What to generate. The defaults are Long Range Arena's data set.
struct ListOpsConfig {
  std::uint64_t seed = 1;
  std::int64_t train = 96000;  ///< number of examples
  std::int64_t valid = 2000;
  std::int64_t test = 2000;
  int max_depth = 10;                  ///< a node at this depth is a digit; the root has depth 1
  double operator_probability = 0.25;  ///< that a node above `max_depth` is an operator
  int min_arguments = 2;
  int max_arguments = 10;
  std::int64_t min_tokens = 501;  ///< the shortest expression accepted, both ends included; parentheses do not count
  std::int64_t max_tokens = 1999;

  /// Expressions of 8 to 40 tokens, learnt in minutes: depth at most 3, 2 to 5 arguments, operator probability 0.35.
  static ListOpsConfig short_variant();
};

/// One expression and its value.
class ListOpsExample {
 public:
  ListOpsExample(std::string code, int target) : code_(std::move(code)), target_(target) {}

  /// The value, 0 to 9.
  int target() const { return target_; }

  /// The expression, tokens separated by a space. With parentheses it is the binary form of the published files, in
  /// which an operator takes its arguments one by one: `( ( ( [MAX 1 ) 2 ) ] )`; without: `[MAX 1 2 ]`.
  std::string source(bool parentheses = true) const;

 private:
  std::string code_;  // operators and digits in prefix order, see listops.cpp: a sixth of the size of the source
  int target_;
};

/// The examples, all distinct across the three parts.
struct ListOpsSplits {
  std::vector<ListOpsExample> train, valid, test;
  std::int64_t roots_drawn = 0;  ///< expressions drawn, accepted or not
};

/// Draws expressions until there are enough distinct ones of an accepted length. Operators (minimum, maximum, median
/// truncated to an integer, sum modulo 10), the number of arguments and the digits are uniform. The result is a pure
/// function of `config`, the same on every platform. Throws `Error` if a setting makes no sense, or if new
/// expressions of an accepted length have become too rare to go on.
ListOpsSplits generate_listops(const ListOpsConfig& config);

/// Writes `examples` as TSV with the header `Source<TAB>Target`. Throws `Error` if the file cannot be written.
void write_listops(const std::filesystem::path& path, const std::vector<ListOpsExample>& examples,
                   bool parentheses = true);

/// The value of an expression, with or without parentheses, read from its tokens alone. Understands the operators
/// `[MIN`, `[MAX`, `[MED`, `[SM`, `[FIRST` and `[LAST`. Throws `Error` unless `source` is one whole expression.
int evaluate_listops(std::string_view source);

/// The first token of an expression that is not a parenthesis: the operator at its root, or the digit it is.
std::string_view listops_root(std::string_view source);

}  // namespace lintel::train
