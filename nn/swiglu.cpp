#include <lintel/core/choices.hpp>
#include <lintel/nn/swiglu.hpp>
#include <lintel/ops/feed_forward.hpp>

namespace lintel::nn {
namespace swiglu_detail {

std::variant<FeedForward, SwiGlu> make_mlp(std::int64_t hidden, std::int64_t mlp, Rng& rng, const MlpOptions& options) {
  auto make = [&]<class Network>(std::type_identity<Network>) {
    Network network(hidden, mlp, rng, options.dropout, {options.bias});
    network.recompute = options.recompute;
    return network;
  };
  check_choice("feed_forward", "kind", options.kind, {"gelu", "swiglu"});
  if (options.kind == "swiglu") return make(std::type_identity<SwiGlu>());
  return make(std::type_identity<FeedForward>());
}

}  // namespace swiglu_detail

SwiGlu::SwiGlu(std::int64_t hidden, std::int64_t mlp, Rng& rng, double dropout_rate, const LinearOptions& linear)
    : gate(hidden, mlp, rng, linear),
      up(hidden, mlp, rng, linear),
      down(mlp, hidden, rng, linear),
      dropout(dropout_rate) {}

Tensor SwiGlu::operator()(const Tensor& x, const std::optional<Training>& training, const Tensor& residual) const {
  return gated_feed_forward(x, gate.weight, gate.bias, up.weight, up.bias, down.weight, down.bias, residual,
                            {.activation = Activation::silu,
                             .hidden_dropout = dropout.mask(child_of(training, 0)),
                             .output_dropout = dropout.mask(child_of(training, 1)),
                             .recompute = recompute});
}

Mlp::Mlp(std::int64_t hidden, std::int64_t mlp, Rng& rng, const MlpOptions& options)
    : kind(swiglu_detail::make_mlp(hidden, mlp, rng, options)) {}

Tensor Mlp::operator()(const Tensor& x, const std::optional<Training>& training, const Tensor& residual) const {
  return std::visit([&](const auto& network) { return network(x, training, residual); }, kind);
}

}  // namespace lintel::nn
