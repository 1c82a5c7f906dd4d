#include <lintel/nn/embedding.hpp>
#include <lintel/ops/index.hpp>

namespace lintel::nn {

Embedding::Embedding(std::int64_t rows, std::int64_t hidden, Rng& rng, const EmbeddingOptions& options) {
  if (rows < 1 || hidden < 1) fail("embedding: the table is ", rows, " x ", hidden, ", at least 1 x 1 wanted");
  const double deviation = options.standard_deviation;
  if (!(deviation >= 0)) fail("embedding: standard deviation is ", deviation, ", a number from 0 wanted");
  weight = deviation == 0 ? zeros({rows, hidden}) : normal({rows, hidden}, 0, deviation, rng);
}

Tensor Embedding::operator()(const Tensor& ids) const { return embedding(weight, ids); }

}  // namespace lintel::nn
