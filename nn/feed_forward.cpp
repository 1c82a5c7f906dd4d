#include <lintel/nn/feed_forward.hpp>
#include <lintel/ops/feed_forward.hpp>

namespace lintel::nn {

FeedForward::FeedForward(std::int64_t hidden, std::int64_t mlp, Rng& rng, double dropout_rate,
                         const LinearOptions& linear)
    : up(hidden, mlp, rng, linear), down(mlp, hidden, rng, linear), dropout(dropout_rate) {}

Tensor FeedForward::operator()(const Tensor& x, const std::optional<Training>& training, const Tensor& residual) const {
  return feed_forward(x, up.weight, up.bias, down.weight, down.bias, residual,
                      {.activation = Activation::gelu,
                       .hidden_dropout = dropout.mask(child_of(training, 0)),
                       .output_dropout = dropout.mask(child_of(training, 1)),
                       .recompute = recompute});
}

}  // namespace lintel::nn
