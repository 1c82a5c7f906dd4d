// A table of vectors.
#pragma once

#include <lintel/core/random.hpp>
#include <lintel/core/tensor.hpp>

namespace lintel::nn {

struct EmbeddingOptions {
  double standard_deviation = 0.02;  ///< of the normal start; 0 starts at zero
};

/// One trained row per id.
struct Embedding {
  Tensor weight;  ///< (rows, hidden)

  /// Throws `Error` for a size below 1 or a negative standard deviation.
  Embedding(std::int64_t rows, std::int64_t hidden, Rng& rng, const EmbeddingOptions& options = {});

  /// ids, int64 of any shape → ids.shape + (hidden). Throws `Error` for an id that is not a row.
  Tensor operator()(const Tensor& ids) const;

  static void visit(auto& self, auto&& f) { f("weight", self.weight); }
};

}  // namespace lintel::nn
