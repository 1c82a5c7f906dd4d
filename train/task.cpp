#include <lintel/train/task.hpp>

namespace lintel::train {

bool Evaluation::better_than(const Evaluation& other) const {
  if (accuracy != other.accuracy) return accuracy > other.accuracy;
  return loss < other.loss;
}

TokenCount& TokenCount::operator+=(const TokenCount& other) {
  real += other.real;
  padded_to_longest += other.padded_to_longest;
  padded_to_limit += other.padded_to_limit;
  return *this;
}

}  // namespace lintel::train
