// One call of kernel_attention: its checked shapes, into which tasks it is cut, and what its products cost.
#pragma once

#include <vector>

#include <lintel/ops/attention_inputs.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/kernel_attention_head.hpp>
#include <lintel/ops/sequence_pieces.hpp>

namespace lintel::kernel_attention_detail {

inline constexpr const char* op = "kernel_attention";
/// Groups of pieces, or of sequences, that a head's work is cut into: each has its own sums of the map's gradients.
inline constexpr std::int64_t most_groups = 16;
/// Rows of a piece of a long sequence, and of a group of the causal form at least.
inline constexpr std::int64_t long_piece = 16 * row_block;

/// Shapes and options of one call. `sizes.features` are those of q and k, `features` those of φ.
struct Call {
  AttentionSizes sizes;
  Sequences queries, keys;
  KernelAttentionOptions options;
  std::vector<FeatureMapLayer> map, key_map;  ///< an empty `key_map` says that `map` is that of keys too
  std::vector<feature_map_detail::LayerSizes> map_sizes, key_map_sizes;
  std::int64_t features;
  /// Whether groups of the causal form end inside of sequences, which costs sums at their borders.
  bool cuts_causal;
  SequencePieces query_pieces, key_pieces;

  const std::vector<FeatureMapLayer>& map_of_keys() const { return key_map.empty() ? map : key_map; }
  const std::vector<feature_map_detail::LayerSizes>& sizes_of_keys() const {
    return key_map.empty() ? map_sizes : key_map_sizes;
  }
  Normaliser normaliser() const { return Normaliser(options); }
  std::int64_t state_size() const { return features * (sizes.head_dim + 1); }
  /// The states that are kept: one for each piece when causal, else one for each sequence.
  std::int64_t states() const { return options.causal ? query_pieces.count() : queries.count(); }

  /// Operations of one row of one head, forward.
  double cost() const {
    double cost = static_cast<double>((features + 1) * (sizes.head_dim + 1)) / 8;
    cost += static_cast<double>(features + sizes.head_dim) / 2;
    if (options.causal) cost += static_cast<double>(chunk * (features + sizes.head_dim)) / 8;
    for (const feature_map_detail::LayerSizes& layer : map_sizes) cost += layer.cost();
    return cost;
  }
};

/// Checks the inputs, and decides how the work is cut: by shape alone. Throws `Error` as `kernel_attention` does.
Call call_of(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& queries, const Sequences& keys,
             const KernelAttentionOptions& options, const std::vector<FeatureMapLayer>& map,
             const std::vector<FeatureMapLayer>& key_map);

/// Into how many groups of consecutive pieces, or of whole sequences, each head's work is cut. Few rows are not worth
/// many sums.
std::int64_t group_count(const Call& call, const SequencePieces& pieces);
PieceGroups groups_of(const Call& call, const SequencePieces& pieces);

/// The products of φ, of S' and its read-out, and for causal attention of the triangle of weights within each chunk.
double flops_of(const Call& call);

/// What is done again: by the backward pass φ, and when causal the states before all chunks of a piece but its first,
/// and the weights within chunks; by both passes the sums at borders.
double recomputed_flops_of(const Call& call);

}  // namespace lintel::kernel_attention_detail
