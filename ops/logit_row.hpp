// What the kernels of the cross-entropies are told, and what they keep of a row: plain structs.
#pragma once

#include <cstdint>

namespace lintel {

/// What is known of a row of logits x after a part of it was read: its maximum, Σ e^(x − maximum), Σ x, and the logit
/// of the label once that was met.
template <class T>
struct LogitRow {
  T maximum, exponential_sum, sum, of_label;
};

/// The classes `first` … `first + count − 1` of `all`: those whose logits a block holds.
struct ClassBlock {
  std::int64_t first, count, all;
};

}  // namespace lintel
