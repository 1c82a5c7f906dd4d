#include <algorithm>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/choices.hpp>
#include <lintel/nn/attention.hpp>
#include <lintel/nn/attention_memory.hpp>
#include <lintel/ops/attention_state.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/projections.hpp>
#include <lintel/ops/rotary.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/short_convolution.hpp>
#include <lintel/ops/softmax_attention.hpp>

namespace lintel::nn {
namespace attention_detail {

/// Sizes that fit each other.
struct Heads {
  std::int64_t heads, kv_heads, head_dim;

  std::int64_t query_size() const { return heads * head_dim; }
  std::int64_t key_size() const { return kv_heads * head_dim; }
};

Heads checked_heads(std::int64_t hidden, std::int64_t heads, const HeadOptions& options) {
  if (hidden < 1 || heads < 1 || hidden % heads != 0) {
    fail("attention: hidden size ", hidden, " does not divide into ", heads, " heads");
  }
  const std::int64_t kv_heads = options.kv_heads == 0 ? heads : options.kv_heads, head_dim = hidden / heads;
  if (kv_heads < 1 || heads % kv_heads != 0) {
    fail("attention: ", heads, " heads cannot share ", kv_heads, " heads of keys and values, a divisor wanted");
  }
  if (!(options.rotary_base >= 0)) fail("attention: rotary_base is ", options.rotary_base, ", 0 or more wanted");
  if (options.rotary_base > 0 && head_dim % 2 != 0) {
    fail("attention: rotary positions turn pairs, and head_dim is ", head_dim, ", an even number wanted");
  }
  return {heads, kv_heads, head_dim};
}

FeatureMapOptions feature_map_options(const KernelAttentionConfig& config) {
  return {.kind = config.feature_map, .layers = config.layers, .bias = config.bias, .dropout = config.dropout};
}

/// (…, count·head_dim) → (…, count, head_dim).
Tensor split_heads(const Tensor& x, std::int64_t count) {
  const std::int64_t head_dim = x.size(-1) / count;
  if (x.rank() == 2) return reshape(x, {x.size(0), count, head_dim});
  return reshape(x, {x.size(0), x.size(1), count, head_dim});
}

/// (…, kv_heads, d) → (…, heads, d): each head as often as heads of queries share it.
Tensor repeat_heads(const Tensor& x, std::int64_t heads) {
  const std::int64_t kv_heads = x.size(-2), head_dim = x.size(-1);
  if (kv_heads == heads) return x;
  const std::int64_t rows = kv_heads == 0 ? 0 : x.size() / (kv_heads * head_dim);
  const Tensor once = reshape(x, {rows, kv_heads, 1, head_dim});
  const Tensor repeated = broadcast_to(once, {rows, kv_heads, heads / kv_heads, head_dim});
  return reshape(repeated, x.shape().with(-2, heads));
}

/// Queries (…, heads, head_dim), keys and values (…, kv_heads, head_dim), and what a state remembers of convolutions
/// once it has read them.
struct Projected {
  Tensor queries, keys, values;
  std::optional<ConvolutionTails> convolution = std::nullopt;
};

void refuse_tapes(const std::vector<Tensor>& read) {
  if (is_recording(read)) fail("attention: a state has no derivatives, and a tape watches what is read with it");
}

/// Of queries, (…, heads, head_dim), and keys.
template <class SomeAttention>
Tensor normed_queries(const SomeAttention& attention, const Tensor& queries) {
  return attention.qk_norm ? attention.qk_norm->q(queries) : queries;
}

template <class SomeAttention>
Tensor normed_keys(const SomeAttention& attention, const Tensor& keys) {
  return attention.qk_norm ? attention.qk_norm->k(keys) : keys;
}

/// Queries, keys and values before they are split into heads, convolved: behind what `state` has read, unless null.
/// The tails that such a state then has.
std::optional<ConvolutionTails> convolve(const ShortConvolutions& convolution, const Sequences& sequences,
                                         const AttentionState* state, std::vector<Tensor>& projected) {
  const Tensor* const weights[] = {&convolution.q, &convolution.k, &convolution.v};
  if (!state) {
    for (std::size_t i = 0; i < 3; ++i) projected[i] = short_convolution(projected[i], *weights[i], sequences);
    return std::nullopt;
  }
  if (!state->convolution) fail("attention: the state is one of an attention without convolution");
  refuse_tapes(projected);
  ConvolutionTails tails = *state->convolution;
  Tensor* const tail_of[] = {&tails.q, &tails.k, &tails.v};
  for (std::size_t i = 0; i < 3; ++i) {
    auto [result, tail] = continue_convolution(projected[i], *weights[i], sequences, *tail_of[i]);
    projected[i] = result;
    *tail_of[i] = tail;
  }
  return tails;
}

/// What `attention`, of either kind, projects x to: the tokens behind those that `state` has read, unless null.
template <class SomeAttention>
Projected project(const SomeAttention& attention, const Tensor& x, const Sequences& sequences,
                  const AttentionState* state) {
  std::vector<Projection> layers;
  for (const Linear* layer : {&attention.q, &attention.k, &attention.v}) layers.push_back({layer->weight, layer->bias});
  std::vector<Tensor> projected = projections(x, layers);
  std::optional<ConvolutionTails> tails;
  if (state && state->convolution && !attention.convolution) {
    fail("attention: the state is one of an attention with convolution");
  }
  if (attention.convolution) tails = convolve(*attention.convolution, sequences, state, projected);
  Projected result{normed_queries(attention, split_heads(projected[0], attention.heads)),
                   normed_keys(attention, split_heads(projected[1], attention.kv_heads)),
                   split_heads(projected[2], attention.kv_heads), std::move(tails)};
  if (attention.rotary_base > 0) {
    const Tensor positions = positions_of_rows(state ? state->lengths : Tensor(), sequences);
    result.queries = rotary(result.queries, positions, {.base = attention.rotary_base});
    result.keys = rotary(result.keys, positions, {.base = attention.rotary_base});
  }
  return result;
}

/// Keys and values of `memory` for cross-attention: (…, kv_heads, head_dim).
struct Remembered {
  Tensor keys, values;
};

template <class SomeAttention>
Remembered project_memory(const SomeAttention& attention, const Tensor& memory) {
  const std::vector<Tensor> projected =
      projections(memory, {{attention.k.weight, attention.k.bias}, {attention.v.weight, attention.v.bias}});
  return {normed_keys(attention, split_heads(projected[0], attention.kv_heads)),
          split_heads(projected[1], attention.kv_heads)};
}

void check_input(const Tensor& x, std::int64_t hidden) {
  if (!x.defined()) fail("attention: the input is undefined, (T, ", hidden, ") or (B, N, ", hidden, ") wanted");
  if ((x.rank() == 2 || x.rank() == 3) && x.size(-1) == hidden) return;
  fail("attention: input has shape ", x.shape(), ", (T, ", hidden, ") or (B, N, ", hidden, ") wanted");
}

/// x as (rows, hidden), after the checks that reading with a state needs.
Tensor checked_rows(const Tensor& x, const Sequences& sequences, const AttentionState& state, std::int64_t hidden) {
  check_input(x, hidden);
  check_state(state, sequences);
  const Tensor rows = reshape(x, {-1, x.size(-1)});
  if (rows.size(0) == sequences.rows()) return rows;
  fail("attention: the input ", x.shape(), " has ", rows.size(0), " rows, the sequences ", sequences.rows());
}

/// x, if it is a row of each stream.
Tensor checked_row_each(const Tensor& x, const AttentionState& state, std::int64_t hidden) {
  if (x.defined() && x.shape() == Shape{state.streams(), hidden}) return x;
  fail("attention: the input is ", x.defined() ? x.shape() : Shape(), ", (", state.streams(), ", ", hidden,
       ") wanted, a row of each stream");
}

/// The memory of the kind that an attention needs.
template <class Memory, class State>
auto& memory_of(State& state) {
  if (auto* memory = std::get_if<Memory>(&state.memory)) return *memory;
  fail("attention: the state is one of the other kind of attention");
}

void check_streams(std::int64_t streams) {
  if (streams < 0) fail("attention: a state of ", streams, " streams, 0 or more wanted");
}

KernelNormaliser checked_normaliser(const KernelAttentionConfig& config) {
  check_choice("attention", "normaliser", config.normaliser, normaliser_kinds());
  if (config.normaliser != "sum") return KernelNormaliser::sqrt_n;
  if (config.feature_map != "identity") return KernelNormaliser::sum;
  fail(
      "attention: the feature map identity gives weights of both signs, whose sum divides nothing; one of the "
      "normalisers sqrt_n, rmsnorm wanted");
}

std::optional<QueryKeyNorm> make_qk_norm(const Heads& heads, const HeadOptions& options) {
  return options.qk_norm ? std::optional(QueryKeyNorm(heads.head_dim)) : std::nullopt;
}

std::optional<ShortConvolutions> make_convolution(const Heads& heads, const HeadOptions& options) {
  if (options.convolution == 0) return std::nullopt;
  return ShortConvolutions(options.convolution, heads.query_size(), heads.key_size());
}

/// The tails of an empty state.
template <class SomeAttention>
std::optional<ConvolutionTails> empty_tails(const SomeAttention& attention, std::int64_t streams) {
  return attention.convolution ? std::optional(attention.convolution->empty_tails(streams)) : std::nullopt;
}

/// The root of the number of keys in memory, at least 1: (streams, 1, 1, 1).
Tensor root_of(const Tensor& lengths, DType dtype) {
  return reshape(sqrt(maximum(convert(lengths, dtype), 1.0)), {lengths.size(0), 1, 1, 1});
}

/// Whether every sequence is one token.
bool one_token_each(const Sequences& sequences) {
  return sequences.rows() == sequences.count() && sequences.longest() <= 1;
}

}  // namespace attention_detail

const std::vector<std::string>& normaliser_kinds() {
  static const std::vector<std::string> kinds = {"sum", "sqrt_n", "rmsnorm"};
  return kinds;
}

KernelAttention::KernelAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng,
                                 const KernelAttentionConfig& config, const HeadOptions& options)
    : q(hidden, attention_detail::checked_heads(hidden, head_count, options).query_size(), rng, {options.bias}),
      k(hidden, attention_detail::checked_heads(hidden, head_count, options).key_size(), rng, {options.bias}),
      v(hidden, k.weight.size(0), rng, {options.bias}),
      o(hidden, hidden, rng, {options.bias}),
      feature_map(head_count, hidden / head_count, rng, attention_detail::feature_map_options(config)),
      qk_norm(attention_detail::make_qk_norm(attention_detail::checked_heads(hidden, head_count, options), options)),
      convolution(
          attention_detail::make_convolution(attention_detail::checked_heads(hidden, head_count, options), options)),
      heads(head_count),
      kv_heads(attention_detail::checked_heads(hidden, head_count, options).kv_heads),
      rotary_base(options.rotary_base),
      epsilon(config.epsilon),
      normaliser(attention_detail::checked_normaliser(config)) {
  if (config.normaliser == "rmsnorm") head_norm = RMSNorm(hidden / head_count);
}

KernelAttentionOptions KernelAttention::options(bool causal) const {
  return {.causal = causal, .epsilon = epsilon, .normaliser = normaliser};
}

Tensor KernelAttention::join_heads(const Tensor& found, const Shape& shape) const {
  return o(reshape(head_norm ? (*head_norm)(found) : found, shape));
}

Tensor KernelAttention::attend(const Tensor& queries, const Tensor& keys, const Tensor& values,
                               const Sequences& query_sequences, const Sequences& key_sequences, bool causal,
                               const std::optional<Training>& training) const {
  const Tensor all_keys = attention_detail::repeat_heads(keys, heads);
  const Tensor all_values = attention_detail::repeat_heads(values, heads);
  const std::optional<Training> of_queries = child_of(training, 0), of_keys = child_of(training, 1);
  KernelAttentionOptions dropping = options(causal);
  dropping.dropout = {feature_map.masks(of_queries), feature_map.masks(of_keys)};
  const DType dtype = queries.dtype();
  return kernel_attention(queries, all_keys, all_values, query_sequences, key_sequences, dropping,
                          feature_map.stack(FeatureRole::query, dtype), feature_map.key_stack(dtype));
}

Tensor KernelAttention::operator()(const Tensor& x, const Sequences& sequences, bool causal,
                                   const std::optional<Training>& training) const {
  attention_detail::check_input(x, q.weight.size(-1));
  const auto [queries, keys, values, _] = attention_detail::project(*this, x, sequences, nullptr);
  return join_heads(attend(queries, keys, values, sequences, sequences, causal, training), x.shape());
}

Tensor KernelAttention::cross(const Tensor& x, const Sequences& sequences, const Tensor& memory,
                              const Sequences& memory_sequences, const std::optional<Training>& training) const {
  attention_detail::check_input(x, q.weight.size(-1));
  attention_detail::check_input(memory, q.weight.size(-1));
  const Tensor queries = attention_detail::normed_queries(*this, attention_detail::split_heads(q(x), heads));
  const auto [keys, values] = attention_detail::project_memory(*this, memory);
  return join_heads(attend(queries, keys, values, sequences, memory_sequences, false, training), x.shape());
}

Tensor KernelAttention::orthogonality_penalty() const {
  const Tensor penalty = feature_map.orthogonality_penalty();
  return penalty.defined() ? penalty : scalar(0, q.weight.dtype());
}

AttentionState KernelAttention::empty_state(std::int64_t streams) const {
  attention_detail::check_streams(streams);
  const DType dtype = q.weight.dtype();
  const std::int64_t head_dim = q.weight.size(0) / heads, features = feature_map.features(head_dim);
  return {zeros({streams}, DType::int64),
          KernelMemory{zeros({streams, heads, features, head_dim}, dtype), zeros({streams, heads, features}, dtype)},
          attention_detail::empty_tails(*this, streams)};
}

Tensor KernelAttention::read(const Tensor& x, const Sequences& sequences, AttentionState& state) const {
  const Tensor rows = attention_detail::checked_rows(x, sequences, state, q.weight.size(-1));
  auto& memory = attention_detail::memory_of<KernelMemory>(state);
  const auto [queries, keys, values, tails] = attention_detail::project(*this, rows, sequences, &state);
  const Tensor phi_q = feature_map(queries);
  const Tensor phi_k = feature_map(attention_detail::repeat_heads(keys, heads), std::nullopt, FeatureRole::key);
  const Tensor repeated_values = attention_detail::repeat_heads(values, heads);
  attention_detail::refuse_tapes({phi_q, phi_k, repeated_values});
  own_buffer(memory.matrix);
  own_buffer(memory.vector);
  const KernelSums sums{memory.matrix, memory.vector};
  const auto* const lengths = state.lengths.data<std::int64_t>();
  const Tensor found =
      attention_detail::one_token_each(sequences)
          ? kernel_attention_step(phi_q, phi_k, repeated_values, lengths, options(true), sums)
          : kernel_attention_prefill(phi_q, phi_k, repeated_values, sequences, lengths, options(true), sums);
  count_read(state, sequences);
  state.convolution = tails;
  return join_heads(found, x.shape());
}

AttentionState KernelAttention::remember(const Tensor& memory, const Sequences& memory_sequences) const {
  AttentionState state = empty_state(memory_sequences.count());
  const Tensor rows = attention_detail::checked_rows(memory, memory_sequences, state, q.weight.size(-1));
  const auto [keys, values] = attention_detail::project_memory(*this, rows);
  const Tensor phi_k = feature_map(attention_detail::repeat_heads(keys, heads), std::nullopt, FeatureRole::key);
  const Tensor all_values = attention_detail::repeat_heads(values, heads);
  attention_detail::refuse_tapes({phi_k, all_values});
  const auto& sums = attention_detail::memory_of<KernelMemory>(state);
  // Only the sums are wanted; what the keys themselves would find is dropped.
  kernel_attention_prefill(phi_k, phi_k, all_values, memory_sequences, state.lengths.data<std::int64_t>(),
                           options(true), {sums.matrix, sums.vector});
  count_read(state, memory_sequences);
  return state;
}

Tensor KernelAttention::recall(const Tensor& x, const AttentionState& state) const {
  const Tensor rows = attention_detail::checked_row_each(x, state, q.weight.size(-1));
  const auto& sums = attention_detail::memory_of<KernelMemory>(state);
  const Tensor phi =
      feature_map(attention_detail::normed_queries(*this, attention_detail::split_heads(q(rows), heads)));
  attention_detail::refuse_tapes({phi});
  const std::int64_t streams = phi.size(0), features = phi.size(2);
  // φ(q)ᵀS / D of each stream and head: (streams, heads, 1, head_dim)
  const Tensor phi_q = reshape(phi, {streams, heads, 1, features});
  const Tensor divisor = normaliser == KernelNormaliser::sum
                             ? matmul(phi_q, reshape(sums.vector, {streams, heads, features, 1})) + epsilon
                             : attention_detail::root_of(state.lengths, phi.dtype());
  const Tensor found = reshape(matmul(phi_q, sums.matrix) / divisor, {streams, heads, -1});
  return join_heads(found, rows.shape());
}

SoftmaxAttention::SoftmaxAttention(std::int64_t hidden, std::int64_t head_count, Rng& rng,
                                   const SoftmaxAttentionConfig&, const HeadOptions& options)
    : q(hidden, attention_detail::checked_heads(hidden, head_count, options).query_size(), rng, {options.bias}),
      k(hidden, attention_detail::checked_heads(hidden, head_count, options).key_size(), rng, {options.bias}),
      v(hidden, k.weight.size(0), rng, {options.bias}),
      o(hidden, hidden, rng, {options.bias}),
      qk_norm(attention_detail::make_qk_norm(attention_detail::checked_heads(hidden, head_count, options), options)),
      convolution(
          attention_detail::make_convolution(attention_detail::checked_heads(hidden, head_count, options), options)),
      heads(head_count),
      kv_heads(attention_detail::checked_heads(hidden, head_count, options).kv_heads),
      rotary_base(options.rotary_base) {}

Tensor SoftmaxAttention::operator()(const Tensor& x, const Sequences& sequences, bool causal,
                                    const std::optional<Training>&) const {
  attention_detail::check_input(x, q.weight.size(-1));
  const auto [queries, keys, values, _] = attention_detail::project(*this, x, sequences, nullptr);
  const Tensor found =
      softmax_attention(queries, attention_detail::repeat_heads(keys, heads),
                        attention_detail::repeat_heads(values, heads), sequences, sequences, {.causal = causal});
  return o(reshape(found, x.shape()));
}

AttentionState SoftmaxAttention::empty_state(std::int64_t streams) const {
  attention_detail::check_streams(streams);
  const Tensor nothing = zeros({streams, kv_heads, 0, q.weight.size(0) / heads}, q.weight.dtype());
  return {zeros({streams}, DType::int64), SoftmaxMemory{nothing, clone(nothing)},
          attention_detail::empty_tails(*this, streams)};
}

Tensor SoftmaxAttention::read(const Tensor& x, const Sequences& sequences, AttentionState& state) const {
  const Tensor rows = attention_detail::checked_rows(x, sequences, state, q.weight.size(-1));
  auto& memory = attention_detail::memory_of<SoftmaxMemory>(state);
  const auto [queries, keys, values, tails] = attention_detail::project(*this, rows, sequences, &state);
  attention_detail::refuse_tapes({queries, keys, values});
  make_room(memory, longest_after(state, sequences));
  const KeyValueCache cache{memory.keys, memory.values};
  const auto* const lengths = state.lengths.data<std::int64_t>();
  append_to_cache(keys, values, sequences, lengths, cache);
  const Tensor found = softmax_attention_cached(queries, sequences, lengths, cache);
  count_read(state, sequences);
  state.convolution = tails;
  return o(reshape(found, x.shape()));
}

Tensor SoftmaxAttention::cross(const Tensor& x, const Sequences& sequences, const Tensor& memory,
                               const Sequences& memory_sequences, const std::optional<Training>&) const {
  attention_detail::check_input(x, q.weight.size(-1));
  attention_detail::check_input(memory, q.weight.size(-1));
  const auto [keys, values] = attention_detail::project_memory(*this, memory);
  const Tensor found =
      softmax_attention(attention_detail::normed_queries(*this, attention_detail::split_heads(q(x), heads)),
                        attention_detail::repeat_heads(keys, heads), attention_detail::repeat_heads(values, heads),
                        sequences, memory_sequences);
  return o(reshape(found, x.shape()));
}

AttentionState SoftmaxAttention::remember(const Tensor& memory, const Sequences& memory_sequences) const {
  AttentionState state = empty_state(memory_sequences.count());
  const Tensor rows = attention_detail::checked_rows(memory, memory_sequences, state, q.weight.size(-1));
  const auto [keys, values] = attention_detail::project_memory(*this, rows);
  attention_detail::refuse_tapes({keys, values});
  auto& cache = attention_detail::memory_of<SoftmaxMemory>(state);
  cache.keys = with_capacity(cache.keys, memory_sequences.longest());
  cache.values = with_capacity(cache.values, memory_sequences.longest());
  append_to_cache(keys, values, memory_sequences, state.lengths.data<std::int64_t>(), {cache.keys, cache.values});
  count_read(state, memory_sequences);
  return state;
}

Tensor SoftmaxAttention::recall(const Tensor& x, const AttentionState& state) const {
  const Tensor rows = attention_detail::checked_row_each(x, state, q.weight.size(-1));
  const auto& cache = attention_detail::memory_of<SoftmaxMemory>(state);
  const Tensor queries = attention_detail::normed_queries(*this, attention_detail::split_heads(q(rows), heads));
  attention_detail::refuse_tapes({queries});
  // The newest token sees all that the cache holds, itself included: a query takes the place of the last key.
  std::vector<std::int64_t> before;
  for (const std::int64_t length : state.lengths.values<std::int64_t>()) before.push_back(length - 1);
  const Tensor found = softmax_attention_cached(queries, Sequences::padded(state.streams(), 1), before.data(),
                                                {cache.keys, cache.values});
  return o(reshape(found, rows.shape()));
}

Tensor SoftmaxAttention::orthogonality_penalty() const { return scalar(0, q.weight.dtype()); }

Attention::Attention(std::int64_t hidden, std::int64_t heads, Rng& rng, const AttentionConfig& config,
                     const HeadOptions& options)
    : kind(std::visit(
          [&](const auto& chosen) -> std::variant<KernelAttention, SoftmaxAttention> {
            using Config = std::remove_cvref_t<decltype(chosen)>;
            using Chosen =
                std::conditional_t<std::is_same_v<Config, KernelAttentionConfig>, KernelAttention, SoftmaxAttention>;
            return Chosen(hidden, heads, rng, chosen, options);
          },
          config)) {}

Tensor Attention::operator()(const Tensor& x, const Sequences& sequences, bool causal,
                             const std::optional<Training>& training) const {
  const LayerScope scope("attention");
  return std::visit([&](const auto& attention) { return attention(x, sequences, causal, training); }, kind);
}

QueriesAndKeys Attention::queries_and_keys(const Tensor& x, const Sequences& sequences) const {
  return std::visit(
      [&](const auto& attention) -> QueriesAndKeys {
        attention_detail::check_input(x, attention.q.weight.size(-1));
        const auto [queries, keys, values, _] = attention_detail::project(attention, x, sequences, nullptr);
        return {queries, attention_detail::repeat_heads(keys, attention.heads)};
      },
      kind);
}

AttentionState Attention::empty_state(std::int64_t streams) const {
  return std::visit([&](const auto& attention) { return attention.empty_state(streams); }, kind);
}

Tensor Attention::read(const Tensor& x, const Sequences& sequences, AttentionState& state) const {
  const LayerScope scope("attention");
  return std::visit([&](const auto& attention) { return attention.read(x, sequences, state); }, kind);
}

Tensor Attention::cross(const Tensor& x, const Sequences& sequences, const Tensor& memory,
                        const Sequences& memory_sequences, const std::optional<Training>& training) const {
  const LayerScope scope("cross_attention");
  return std::visit(
      [&](const auto& attention) { return attention.cross(x, sequences, memory, memory_sequences, training); }, kind);
}

AttentionState Attention::remember(const Tensor& memory, const Sequences& memory_sequences) const {
  const LayerScope scope("cross_attention");
  return std::visit([&](const auto& attention) { return attention.remember(memory, memory_sequences); }, kind);
}

Tensor Attention::recall(const Tensor& x, const AttentionState& state) const {
  const LayerScope scope("cross_attention");
  return std::visit([&](const auto& attention) { return attention.recall(x, state); }, kind);
}

Tensor Attention::orthogonality_penalty() const {
  return std::visit([](const auto& attention) { return attention.orthogonality_penalty(); }, kind);
}

}  // namespace lintel::nn
