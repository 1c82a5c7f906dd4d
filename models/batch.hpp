// What a training loop hands to a classifier.
#pragma once

#include <lintel/ops/sequences.hpp>

namespace lintel {

/// Some sequences and what they should be taken for.
struct Batch {
  Packed tokens;
  Tensor labels;  ///< int64 (B)
};

}  // namespace lintel
