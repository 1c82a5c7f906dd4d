#include <lintel/nn/init.hpp>
#include <lintel/nn/linear.hpp>
#include <lintel/ops/linear.hpp>

namespace lintel::nn {

Linear::Linear(std::int64_t in, std::int64_t out, Rng& rng, const LinearOptions& options) {
  if (in < 1 || out < 1) fail("linear: sizes are ", in, " -> ", out, ", at least 1 wanted");
  weight = xavier_uniform({out, in}, rng);
  if (options.bias) bias = zeros({out});
}

Tensor Linear::operator()(const Tensor& x, Activation activation) const { return linear(x, weight, bias, activation); }

}  // namespace lintel::nn
