#include <algorithm>
#include <utility>
#include <vector>

#include <lintel/ops/checks.hpp>
#include <lintel/ops/dropout_mask.hpp>
#include <lintel/ops/kernel_attention_call.hpp>
#include <lintel/ops/products.hpp>

namespace lintel::kernel_attention_detail {

std::int64_t sequences_longer_than(std::int64_t length, const Sequences& sequences) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < sequences.count(); ++i) count += sequences.length(i) > length ? 1 : 0;
  return count;
}

void check_masks(const std::vector<DropoutMask>& masks, std::size_t layers, const char* of) {
  if (!masks.empty() && masks.size() != layers) {
    fail(op, ": dropout has ", masks.size(), " masks for ", of, ", the map ", layers,
         " layers; one for each wanted, or none");
  }
  for (const DropoutMask& mask : masks) check_dropout_rate(op, mask.rate);
}

/// Of each layer, after its checks; the last one's features are `features`.
std::vector<feature_map_detail::LayerSizes> checked_sizes(const std::vector<FeatureMapLayer>& map, const Tensor& x,
                                                          std::int64_t& features) {
  std::vector<feature_map_detail::LayerSizes> sizes;
  Shape shape = x.shape();
  for (const FeatureMapLayer& layer : map) {
    feature_map_detail::check_layer(op, layer, shape, x.dtype());
    if (sizes.size() + 1 < map.size() && makes_pairs(layer.activation)) {
      fail(op, ": an activation that makes pairs of features belongs into the last layer of a map");
    }
    sizes.push_back(feature_map_detail::sizes_of(layer, shape[shape.rank() - 2], shape[shape.rank() - 1]));
    shape = shape.with(-1, sizes.back().out);
  }
  features = shape[shape.rank() - 1];
  return sizes;
}

Call call_of(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& queries, const Sequences& keys,
             const KernelAttentionOptions& options, const std::vector<FeatureMapLayer>& map,
             const std::vector<FeatureMapLayer>& key_map) {
  const AttentionSizes sizes = check_attention(op, q, k, v, queries, keys, options.causal);
  if (!(options.epsilon > 0)) fail(op, ": epsilon is ", options.epsilon, ", a positive number wanted");
  check_masks(options.dropout.queries, map.size(), "queries");
  check_masks(options.dropout.keys, key_map.empty() ? map.size() : key_map.size(), "keys");
  std::int64_t features = 0, key_features = 0;
  const auto map_sizes = checked_sizes(map, q, features), key_map_sizes = checked_sizes(key_map, k, key_features);
  if (!key_map.empty() && features != key_features) {
    fail(op, ": the map of queries gives ", features, " features, that of keys ", key_features);
  }
  // A long sequence is cut where there are too few heads and sequences to give every thread of a larger machine work.
  const bool few = queries.count() * sizes.heads < most_groups;
  const std::int64_t longest = options.causal ? causal_block
                               : few          ? long_piece
                                              : std::max<std::int64_t>({1, queries.longest(), keys.longest()});
  // When causal, the sums at borders are a fifth more work: worth it for a few heads that would leave most threads
  // idle.
  constexpr std::int64_t fewest_causal_tasks = 4;
  const std::int64_t long_tasks = sequences_longer_than(long_piece, queries) * sizes.heads;
  const bool cuts_causal = options.causal && long_tasks > 0 && long_tasks < fewest_causal_tasks;
  return {sizes,
          queries,
          keys,
          options,
          map,
          key_map,
          map_sizes,
          key_map_sizes,
          features,
          cuts_causal,
          {queries, longest},
          {keys, longest}};
}

/// Of the products of φ.
double flops_of_features(const Call& call, std::int64_t query_rows, std::int64_t key_rows) {
  std::int64_t of_query = 0, of_key = 0;
  for (const auto& layer : call.map_sizes) of_query += layer.multiply_adds();
  for (const auto& layer : call.sizes_of_keys()) of_key += layer.multiply_adds();
  return product_flops(query_rows, call.sizes.heads, of_query) + product_flops(key_rows, call.sizes.heads, of_key);
}

/// Of products over the weights within the chunks of the causal form, of `depth` multiply-adds each.
double flops_within_chunks(const Call& call, std::int64_t depth) {
  double flops = 0;
  for (std::int64_t i = 0; call.options.causal && i < call.queries.count(); ++i) {
    for (std::int64_t begin = 0; begin < call.queries.length(i); begin += chunk) {
      const std::int64_t rows = std::min(chunk, call.queries.length(i) - begin);
      flops += product_flops(rows * (rows + 1) / 2, call.sizes.heads, depth);
    }
  }
  return flops;
}

/// Of S' or of its read-out.
double flops_of_states(const Call& call, std::int64_t rows) {
  return product_flops(rows, call.sizes.heads * call.features, call.sizes.head_dim + 1);
}

double flops_of(const Call& call) {
  const AttentionSizes& s = call.sizes;
  const std::int64_t rows = s.query_rows + s.key_rows;
  return flops_of_features(call, s.query_rows, s.key_rows) + flops_of_states(call, rows) +
         flops_within_chunks(call, call.features + s.head_dim + 1);
}

/// Whether groups are of whole sequences.
bool groups_sequences(const Call& call) { return call.options.causal && !call.cuts_causal; }

std::int64_t group_count(const Call& call, const SequencePieces& pieces) {
  const std::int64_t most = groups_sequences(call) ? call.queries.count() : pieces.count();
  const std::int64_t fewest_rows = call.cuts_causal ? long_piece : row_block;
  return std::min({most, most_groups, (pieces.rows() + fewest_rows - 1) / fewest_rows});
}

PieceGroups groups_of(const Call& call, const SequencePieces& pieces) {
  const std::int64_t count = group_count(call, pieces);
  std::vector<std::int64_t> first;
  for (std::int64_t i = 0; i < count; ++i) {
    first.push_back(groups_sequences(call) ? pieces.first(call.queries.count() * i / count)
                                           : pieces.count() * i / count);
  }
  first.push_back(pieces.count());
  return {pieces, std::move(first)};
}

/// Of φ and S' of the keys before each border that a causal sequence crosses, and of φ and R of the queries behind it.
double flops_at_borders(const Call& call) {
  if (!call.cuts_causal) return 0;
  const SequencePieces& pieces = call.query_pieces;
  const PieceGroups groups = groups_of(call, pieces);
  const auto rows_in = [&](const PieceGroups::Range& range) {
    std::int64_t rows = 0;
    for (std::int64_t i = range.first; i < range.last; ++i) rows += pieces[i].size();
    return rows;
  };
  std::int64_t keys = 0, queries = 0;
  for (std::int64_t border = 0; border < groups.count(); ++border) {
    keys += rows_in(groups.before(border));
    queries += rows_in(groups.behind(border));
  }
  return flops_of_features(call, queries, keys) + flops_of_states(call, queries + keys);
}

double recomputed_flops_of(const Call& call) {
  double flops = flops_of_features(call, call.sizes.query_rows, call.sizes.key_rows) +
                 flops_within_chunks(call, call.features) + flops_at_borders(call);
  for (std::int64_t i = 0; call.options.causal && i < call.query_pieces.count(); ++i) {
    flops += flops_of_states(call, (call.query_pieces[i].size() - 1) / chunk * chunk);
  }
  return flops;
}

}  // namespace lintel::kernel_attention_detail
