// The checks that the cross-entropies share.
#pragma once

#include <algorithm>
#include <cstdint>

#include <lintel/core/error.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/cross_entropy.hpp>

namespace lintel {

/// Throws an `Error` that names `op` unless there is one label for each row of `rows`, and the options are in range.
inline void check_labels(const char* op, const Tensor& rows, const char* rows_name, const Tensor& labels,
                         const CrossEntropyOptions& options) {
  check_dtype(op, labels, DType::int64, "labels");
  const bool fits = labels.rank() == rows.rank() - 1 &&
                    std::equal(labels.shape().begin(), labels.shape().end(), rows.shape().begin());
  if (!fits) {
    fail(op, ": labels have shape ", labels.shape(), ", ", rows_name, " ", rows.shape(),
         "; that shape without its last axis wanted");
  }
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    fail(op, ": label_smoothing is ", options.label_smoothing, ", a number in [0, 1] wanted");
  }
}

/// The number of rows that are not ignored. Throws an `Error` that names `op` for a label outside the classes.
inline std::int64_t count_labels(const char* op, const Tensor& labels, std::int64_t classes,
                                 std::int64_t ignore_index) {
  const std::int64_t* label = labels.data<std::int64_t>();
  std::int64_t count = 0;
  for (std::int64_t row = 0; row < labels.size(); ++row) {
    if (label[row] == ignore_index) continue;
    if (label[row] < 0 || label[row] >= classes) {
      fail(op, ": label ", label[row], " in row ", row, " is outside the classes [0, ", classes, ")");
    }
    ++count;
  }
  return count;
}

}  // namespace lintel
