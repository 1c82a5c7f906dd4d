#include <lintel/autograd/tape.hpp>
#include <lintel/nn/attention.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/projections.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/softmax_attention.hpp>

namespace lintel::nn {
namespace attention_detail {

std::int64_t head_dim(std::int64_t hidden, std::int64_t heads) {
  if (hidden < 1 || heads < 1 || hidden % heads != 0) {
    fail("attention: hidden size ", hidden, " does not divide into ", heads, " heads");
  }
  return hidden / heads;
}

FeatureMapOptions feature_map_options(const KernelAttentionConfig& config) {
  return {.kind = config.feature_map, .layers = config.layers, .bias = config.bias, .dropout = config.dropout};
}

Tensor split_heads(const Tensor& x, std::int64_t heads) {
  const std::int64_t hidden = x.size(-1);
  if (x.rank() == 2) return reshape(x, {x.size(0), heads, hidden / heads});
  return reshape(x, {x.size(0), x.size(1), heads, hidden / heads});
}

/// Queries, keys and values (…, heads, head_dim) of x.
struct Projected {
  Tensor queries, keys, values;
};

template <class SomeAttention>
Projected project(const SomeAttention& attention, const Tensor& x) {
  std::vector<Projection> layers;
  for (const Linear* layer : {&attention.q, &attention.k, &attention.v}) layers.push_back({layer->weight, layer->bias});
  const std::vector<Tensor> projected = projections(x, layers);
  return {split_heads(projected[0], attention.heads), split_heads(projected[1], attention.heads),
          split_heads(projected[2], attention.heads)};
}

void check_input(const Tensor& x, std::int64_t hidden) {
  if (!x.defined()) fail("attention: the input is undefined, (T, ", hidden, ") or (B, N, ", hidden, ") wanted");
  if ((x.rank() == 2 || x.rank() == 3) && x.size(-1) == hidden) return;
  fail("attention: input has shape ", x.shape(), ", (T, ", hidden, ") or (B, N, ", hidden, ") wanted");
}

}  // namespace attention_detail

KernelAttention::KernelAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng,
                                 const KernelAttentionConfig& config)
    : q(hidden, hidden, rng),
      k(hidden, hidden, rng),
      v(hidden, hidden, rng),
      o(hidden, hidden, rng),
      feature_map(head_count, attention_detail::head_dim(hidden, head_count), rng,
                  attention_detail::feature_map_options(config)),
      heads(head_count),
      epsilon(config.epsilon) {}

Tensor KernelAttention::operator()(const Tensor& x, const Sequences& sequences, bool causal,
                                   const std::optional<Training>& training) const {
  attention_detail::check_input(x, q.weight.size(-1));
  const auto [queries, keys, values] = attention_detail::project(*this, x);
  const KernelAttentionOptions options{.causal = causal, .epsilon = epsilon};
  // Dropout inside of φ needs φ's inputs as a whole.
  const bool drops = training.has_value() && feature_map.dropout.rate > 0;
  const Tensor found =
      drops ? kernel_attention(feature_map(queries, child_of(training, 0)), feature_map(keys, child_of(training, 1)),
                               values, sequences, sequences, options)
            : kernel_attention(queries, keys, values, sequences, sequences, options, feature_map.stack());
  return o(reshape(found, x.shape()));
}

SoftmaxAttention::SoftmaxAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng,
                                   const SoftmaxAttentionConfig&)
    : q(hidden, hidden, rng),
      k(hidden, hidden, rng),
      v(hidden, hidden, rng),
      o(hidden, hidden, rng),
      heads(head_count) {
  attention_detail::head_dim(hidden, head_count);
}

Tensor SoftmaxAttention::operator()(const Tensor& x, const Sequences& sequences, bool causal,
                                    const std::optional<Training>&) const {
  attention_detail::check_input(x, q.weight.size(-1));
  const auto [queries, keys, values] = attention_detail::project(*this, x);
  const Tensor found = softmax_attention(queries, keys, values, sequences, sequences, {.causal = causal});
  return o(reshape(found, x.shape()));
}

Tensor SoftmaxAttention::orthogonality_penalty() const { return scalar(0, q.weight.dtype()); }

Attention::Attention(std::int64_t hidden, std::int64_t heads, Rng& rng, const AttentionConfig& config)
    : kind(std::visit(
          [&](const auto& chosen) -> std::variant<KernelAttention, SoftmaxAttention> {
            using Config = std::remove_cvref_t<decltype(chosen)>;
            using Chosen =
                std::conditional_t<std::is_same_v<Config, KernelAttentionConfig>, KernelAttention, SoftmaxAttention>;
            return Chosen(hidden, heads, rng, chosen);
          },
          config)) {}

Tensor Attention::operator()(const Tensor& x, const Sequences& sequences, bool causal,
                             const std::optional<Training>& training) const {
  const LayerScope scope("attention");
  return std::visit([&](const auto& attention) { return attention(x, sequences, causal, training); }, kind);
}

Tensor Attention::orthogonality_penalty() const {
  return std::visit([](const auto& attention) { return attention.orthogonality_penalty(); }, kind);
}

}  // namespace lintel::nn
