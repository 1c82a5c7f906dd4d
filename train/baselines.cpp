#include <cstdint>
#include <lintel/core/error.hpp>
#include <lintel/train/baselines.hpp>
#include <lintel/train/listops.hpp>
#include <map>

namespace lintel::train {
namespace {

using LabelCounts = std::map<std::string, std::int64_t>;

const std::string& most_frequent(const LabelCounts& counts) {
  auto best = counts.begin();
  for (auto candidate = counts.begin(); candidate != counts.end(); ++candidate) {
    if (candidate->second > best->second) best = candidate;
  }
  return best->first;
}

LabelCounts count_labels(const std::vector<TextRow>& rows) {
  LabelCounts counts;
  for (const TextRow& row : rows) ++counts[row.label];
  return counts;
}

// The share of `rows` whose label `guess(row)` gives.
template <class Guess>
double share_right(const std::vector<TextRow>& rows, const Guess& guess) {
  std::int64_t right = 0;
  for (const TextRow& row : rows) right += guess(row) == row.label;
  return static_cast<double>(right) / static_cast<double>(rows.size());
}

void require_rows(const std::vector<TextRow>& train, const std::vector<TextRow>& test) {
  if (train.empty() || test.empty()) {
    fail("baseline: got ", train.size(), " training and ", test.size(), " test rows, wanted some of each");
  }
}

}  // namespace

double majority_accuracy(const std::vector<TextRow>& train, const std::vector<TextRow>& test) {
  require_rows(train, test);
  const std::string majority = most_frequent(count_labels(train));
  return share_right(test, [&](const TextRow&) { return majority; });
}

double root_operator_accuracy(const std::vector<TextRow>& train, const std::vector<TextRow>& test) {
  require_rows(train, test);
  std::map<std::string, LabelCounts, std::less<>> counts_of_root;
  for (const TextRow& row : train) ++counts_of_root[std::string(listops_root(row.text))][row.label];
  const std::string majority = most_frequent(count_labels(train));
  return share_right(test, [&](const TextRow& row) {
    const auto counts = counts_of_root.find(listops_root(row.text));
    return counts == counts_of_root.end() ? majority : most_frequent(counts->second);
  });
}

}  // namespace lintel::train
