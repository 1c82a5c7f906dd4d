// What a model must beat: guesses that look at the labels of the training rows and at next to nothing else.
#pragma once

#include <vector>

#include <lintel/train/text_table.hpp>

namespace lintel::train {

/// Accuracy on `test`, from 0 to 1, of always guessing the most frequent label of `train` (of equally frequent ones the
/// first in byte order). Throws `Error` if either is empty.
double majority_accuracy(const std::vector<TextRow>& train, const std::vector<TextRow>& test);

/// Accuracy on `test`, from 0 to 1, of guessing for each ListOps expression the most frequent label that its root
/// operator has in `train`; for a root that `train` does not have, the most frequent label of all. Throws `Error` if
/// either is empty.
double root_operator_accuracy(const std::vector<TextRow>& train, const std::vector<TextRow>& test);

}  // namespace lintel::train
