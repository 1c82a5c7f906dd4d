#include <lintel/nn/feed_forward.hpp>

namespace lintel::nn {

FeedForward::FeedForward(std::int64_t hidden, std::int64_t mlp, Rng& rng, double dropout_rate,
                         const LinearOptions& linear)
    : up(hidden, mlp, rng, linear), down(mlp, hidden, rng, linear), dropout(dropout_rate) {}

Tensor FeedForward::operator()(const Tensor& x, const std::optional<Training>& training) const {
  const Tensor activated = dropout(up(x, Activation::gelu), child_of(training, 0));
  return dropout(down(activated), child_of(training, 1));
}

}  // namespace lintel::nn
