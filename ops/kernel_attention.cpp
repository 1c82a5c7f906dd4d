#include <algorithm>
#include <utility>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/kernel_attention_call.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {
namespace kernel_attention_detail {

using feature_map_detail::head_gradients;
using feature_map_detail::head_maps;

using RowBlock = SequencePieces::RowBlock;

/// On average.
double rows_of_group(const PieceGroups& groups, const SequencePieces& pieces) {
  return share_of_task(static_cast<double>(pieces.rows()), groups.count());
}

/// Calls `body(head, group, blocks)` with the blocks of at most `most_rows` rows of each group, in parallel over heads
/// and groups. `cost` counts operations of a row of a head.
template <class Body>
void for_groups(const Call& call, const SequencePieces& pieces, std::int64_t most_rows, double cost, Body&& body) {
  const std::int64_t heads = call.sizes.heads;
  const PieceGroups groups = groups_of(call, pieces);
  parallel_for(groups.count() * heads, cost * rows_of_group(groups, pieces), [&](std::int64_t task) {
    const std::int64_t group = task / heads;
    body(task % heads, group, pieces.blocks(groups.first(group), groups.first(group + 1), most_rows));
  });
}

std::int64_t rows_of_largest(const std::vector<RowBlock>& blocks) {
  std::int64_t most = 0;
  for (const RowBlock& block : blocks) most = std::max(most, block.size());
  return most;
}

/// Pointers to all rows and heads.
template <class T>
struct Inputs {
  const T *q, *k, *v;

  HeadKeys<T> keys(const Call& call, std::int64_t row, std::int64_t head) const {
    return {map_input(call, k, call.options.dropout.keys, row, head),
            call.sizes.head_of(v, row, head, call.sizes.head_dim)};
  }
  MapInput<T> queries(const Call& call, std::int64_t row, std::int64_t head) const {
    return map_input(call, q, call.options.dropout.queries, row, head);
  }

 private:
  static MapInput<T> map_input(const Call& call, const T* x, const std::vector<DropoutMask>& masks, std::int64_t row,
                               std::int64_t head) {
    return {call.sizes.head_of(x, row, head, call.sizes.features), row * call.sizes.heads + head, masks};
  }
};

/// States of all heads: (count, heads, state size).
template <class T>
struct States {
  std::int64_t heads, features, head_dim;
  T* numbers;

  std::int64_t size() const { return State<T>::size(features, head_dim); }
  std::int64_t stride() const { return heads * size(); }
  T* begin(std::int64_t index, std::int64_t head) const { return numbers + (index * heads + head) * size(); }
  State<T> at(std::int64_t index, std::int64_t head) const { return {features, head_dim, begin(index, head)}; }
};

template <class T>
States<T> states_of(const Call& call, T* numbers) {
  return {call.sizes.heads, call.features, call.sizes.head_dim, numbers};
}

/// The states of sequences, from those of their pieces, added in their order.
template <class T>
void sum_pieces(const Call& call, const SequencePieces& pieces, const States<T>& of_pieces, const States<T>& result) {
  const double pieces_of_one =
      static_cast<double>(pieces.count()) / static_cast<double>(std::max<std::int64_t>(1, call.queries.count()));
  parallel_for(call.queries.count() * result.heads, pieces_of_one * static_cast<double>(result.size()) / 8,
               [&](std::int64_t task) {
                 const std::int64_t sequence = task / result.heads, head = task % result.heads;
                 std::fill_n(result.begin(sequence, head), result.size(), T(0));
                 for (std::int64_t p = pieces.first(sequence); p < pieces.first(sequence + 1); ++p) {
                   active_kernels<T>().add_into(of_pieces.begin(p, head), result.begin(sequence, head), result.size());
                 }
               });
}

// ---- Causal sequences in several groups ----
//
// A group that begins in the middle of a sequence needs the state there. First all groups sum, in parallel, what they
// have for the next one; then these sums are added in the order of the groups; then every group goes its own way.

/// For states at all borders, 0 at first, before the first group and behind the last too; none where no sequence is
/// cut.
template <class T>
Tensor zeros_at_borders(const Call& call) {
  const std::int64_t borders = call.cuts_causal ? group_count(call, call.query_pieces) + 1 : 0;
  return zeros({borders, call.sizes.heads, call.state_size()}, dtype_of<T>());
}

/// Calls `body(head, border, blocks)` for every head and border with the blocks of the pieces `range_of(border)`,
/// unless there are none, in parallel. `cost` counts operations of a row of a head.
template <class RangeOf, class Body>
void for_borders(const Call& call, const PieceGroups& groups, double cost, RangeOf&& range_of, Body&& body) {
  const SequencePieces& pieces = call.query_pieces;
  const std::int64_t heads = call.sizes.heads;
  parallel_for((groups.count() - 1) * heads, cost * rows_of_group(groups, pieces), [&](std::int64_t task) {
    const std::int64_t border = 1 + task / heads;
    const auto [first, last] = range_of(border);
    if (first < last) body(task % heads, border, pieces.blocks(first, last, row_block));
  });
}

/// Adds the state at one border of a group to that at its other border, if the group is the middle of a sequence.
template <class T>
void add_across_group(const PieceGroups& groups, std::int64_t group, const States<T>& states, std::int64_t from,
                      std::int64_t to) {
  if (!groups.is_inside_sequence(group)) return;
  const std::int64_t size = states.stride();
  parallel_blocks(size, 1 << 14, 1, [&](std::int64_t begin, std::int64_t end) {
    active_kernels<T>().add_into(states.begin(from, 0) + begin, states.begin(to, 0) + begin, end - begin);
  });
}

// ---- Forward ----

template <class T>
struct Outputs {
  T *o, *denominators, *states;

  HeadQueries<T> at(const Call& call, const Inputs<T>& inputs, std::int64_t row, std::int64_t head) const {
    return {inputs.queries(call, row, head), call.sizes.head_of(o, row, head, call.sizes.head_dim),
            denominators + head * call.sizes.query_rows + row};
  }
};

/// φ of each head, of queries and of keys.
template <class T>
class Maps {
 public:
  Maps(const Call& call, bool with_backward)
      : queries_(head_maps<T>(call.map, call.map_sizes, call.sizes.heads, with_backward)) {
    if (!call.key_map.empty()) {
      keys_ = head_maps<T>(call.key_map, call.key_map_sizes, call.sizes.heads, with_backward);
    }
  }

  const HeadMap<T>& of_queries(std::int64_t head) const { return queries_[static_cast<std::size_t>(head)]; }
  const HeadMap<T>& of_keys(std::int64_t head) const {
    return keys_.empty() ? of_queries(head) : keys_[static_cast<std::size_t>(head)];
  }

 private:
  std::vector<HeadMap<T>> queries_, keys_;
};

/// The states behind all keys: of each piece, block by block, then of each sequence.
template <class T>
void sum_keys(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const States<T>& states) {
  const SequencePieces& pieces = call.key_pieces;
  const Tensor sums = zeros({pieces.count(), call.sizes.heads, call.state_size()}, dtype_of<T>());
  const States<T> of_pieces = states_of<T>(call, write<T>(sums, op));
  for_groups(call, pieces, row_block, call.cost(),
             [&](std::int64_t head, std::int64_t, const std::vector<RowBlock>& blocks) {
               MappedRows<T> mapped(maps.of_keys(head), rows_of_largest(blocks), false);
               const GatheredRows<T> values(rows_of_largest(blocks), call.sizes.head_dim);
               for (const RowBlock& block : blocks) {
                 const HeadKeys<T> keys = inputs.keys(call, block.begin, head);
                 const Block<const T> v = values.gather(block.size(), keys.v);
                 const Block<const T> phi = mapped.forward(block.size(), keys.k);
                 for (std::int64_t i = block.first; i < block.last; ++i) {
                   const auto [begin, rows] = pieces.part(block, i);
                   of_pieces.at(i, head).add(rows, phi.from_row(begin), v.from_row(begin), nullptr);
                 }
               }
             });
  sum_pieces(call, pieces, of_pieces, states);
}

template <class T>
void forward_all(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const Outputs<T>& outputs) {
  const SequencePieces& pieces = call.query_pieces;
  const States<T> states = states_of<T>(call, outputs.states);
  sum_keys(call, maps, inputs, states);
  for_groups(call, pieces, row_block, call.cost(),
             [&](std::int64_t head, std::int64_t, const std::vector<RowBlock>& blocks) {
               MappedRows<T> mapped(maps.of_queries(head), rows_of_largest(blocks), false);
               const Scratch<T> found(rows_of_largest(blocks) * call.sizes.head_dim);
               const Block<T> n{found, call.sizes.head_dim};
               for (const RowBlock& block : blocks) {
                 const auto [q, o, denominators] = outputs.at(call, inputs, block.begin, head);
                 const Block<const T> phi = mapped.forward(block.size(), q);
                 for (std::int64_t i = block.first; i < block.last; ++i) {
                   const auto [begin, rows] = pieces.part(block, i);
                   const std::int64_t sequence = pieces[i].sequence;
                   states.at(sequence, head)
                       .read(rows, phi.from_row(begin), static_cast<T>(call.options.epsilon), n.from_row(begin),
                             denominators + begin);
                   call.normaliser().replace(denominators + begin, rows, call.keys.length(sequence), 0);
                 }
                 active_kernels<T>().divide_rows(n.first, n.stride, denominators, o.first, o.stride, block.size(),
                                                 call.sizes.head_dim);
               }
             });
}

/// The parts of a block, with the states before them where `states` has any.
template <class T>
std::vector<CausalPart<T>> causal_parts(const Call& call, const RowBlock& block, std::int64_t head,
                                        const States<T>& states) {
  const SequencePieces& pieces = call.query_pieces;
  std::vector<CausalPart<T>> parts;
  for (std::int64_t i = block.first; i < block.last; ++i) {
    const auto [begin, rows] = pieces.part(block, i);
    const std::int64_t before = block.begin + begin - call.queries.begin(pieces[i].sequence);
    parts.push_back({begin, rows, before, states.numbers ? states.begin(i, head) : nullptr, pieces.begins_sequence(i),
                     pieces.ends_sequence(i)});
  }
  return parts;
}

/// The states at borders behind the keys before them.
template <class T>
void sum_keys_before_borders(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const States<T>& states) {
  const PieceGroups groups = groups_of(call, call.query_pieces);
  for_borders(
      call, groups, call.cost(), [&](std::int64_t border) { return groups.before(border); },
      [&](std::int64_t head, std::int64_t border, const std::vector<RowBlock>& blocks) {
        MappedRows<T> mapped(maps.of_keys(head), rows_of_largest(blocks), false);
        const GatheredRows<T> values(rows_of_largest(blocks), call.sizes.head_dim);
        for (const RowBlock& block : blocks) {
          const HeadKeys<T> keys = inputs.keys(call, block.begin, head);
          states.at(border, head)
              .add(block.size(), mapped.forward(block.size(), keys.k), values.gather(block.size(), keys.v), nullptr);
        }
      });
  for (std::int64_t group = 0; group < groups.count(); ++group) {
    add_across_group(groups, group, states, group, group + 1);
  }
}

template <class T>
void forward_causal(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const Outputs<T>& outputs) {
  const States<T> states = states_of<T>(call, outputs.states);
  const Tensor sums = zeros_at_borders<T>(call);
  const States<T> at_borders = states_of<T>(call, write<T>(sums, op));
  if (call.cuts_causal) sum_keys_before_borders(call, maps, inputs, at_borders);
  for_groups(call, call.query_pieces, causal_block, 2 * call.cost(),
             [&](std::int64_t head, std::int64_t group, const std::vector<RowBlock>& blocks) {
               CausalForward<T> pass(maps.of_queries(head), maps.of_keys(head), rows_of_largest(blocks), call.features,
                                     call.sizes.head_dim);
               if (call.cuts_causal) pass.start_from(at_borders.begin(group, head));
               for (const RowBlock& block : blocks) {
                 pass.block(block.size(), outputs.at(call, inputs, block.begin, head),
                            inputs.keys(call, block.begin, head), call.normaliser(),
                            causal_parts(call, block, head, states));
               }
             });
}

template <class T>
void forward(const Call& call, const Inputs<T>& inputs, const Outputs<T>& outputs) {
  const Maps<T> maps(call, false);
  clear_outside(call.queries, outputs.o, call.sizes.heads * call.sizes.head_dim);
  if (call.options.causal) {
    forward_causal(call, maps, inputs, outputs);
  } else {
    forward_all(call, maps, inputs, outputs);
  }
}

// ---- Backward ----

/// Pointers to all rows and heads; null gradients are not computed. `map_sums` (groups, parameters): those of the map
/// of queries, then those of the map of keys if that is another.
template <class T>
struct Cotangents {
  const T *g, *o, *denominators;
  T *states, *dq, *dk, *dv, *map_sums;
  std::int64_t parameters;

  HeadAnswers<T> answers(const Call& call, const Inputs<T>& inputs, std::int64_t row, std::int64_t head) const {
    const AttentionSizes& s = call.sizes;
    return {inputs.queries(call, row, head), s.head_of(o, row, head, s.head_dim), s.head_of(g, row, head, s.head_dim),
            denominators + head * s.query_rows + row};
  }

  HeadGradients<T> of_queries(const Call& call, std::int64_t row, std::int64_t head, std::int64_t group) const {
    return {call.sizes.head_of(dq, row, head, call.sizes.features), {nullptr, 0}, of_map(call.map, head, group, 0)};
  }
  HeadGradients<T> of_keys(const Call& call, std::int64_t row, std::int64_t head, std::int64_t group) const {
    const std::int64_t first = call.key_map.empty() ? 0 : feature_map_detail::parameter_count(call.map);
    return {call.sizes.head_of(dk, row, head, call.sizes.features),
            call.sizes.head_of(dv, row, head, call.sizes.head_dim), of_map(call.map_of_keys(), head, group, first)};
  }

 private:
  /// The gradients of one head of a map's layers, of one group, from parameter `first` on.
  MapGradients<T> of_map(const std::vector<FeatureMapLayer>& map, std::int64_t head, std::int64_t group,
                         std::int64_t first) const {
    MapGradients<T> result;
    if (!map_sums) return result;
    T* next = map_sums + group * parameters + first;
    for (const FeatureMapLayer& layer : map) {
      result.push_back(head_gradients<T>(layer, head, next));
      next += feature_map_detail::parameter_count(layer);
    }
    return result;
  }
};

/// Gradients of the queries, and what they sum for the keys, unless `seen_by` is null.
template <class T>
void backward_queries(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const Cotangents<T>& all,
                      const States<T>* seen_by) {
  const SequencePieces& pieces = call.query_pieces;
  const States<T> states = states_of<T>(call, all.states);
  for_groups(call, pieces, row_block, 3 * call.cost(),
             [&](std::int64_t head, std::int64_t group, const std::vector<RowBlock>& blocks) {
               const std::int64_t most_rows = rows_of_largest(blocks);
               MappedRows<T> mapped(maps.of_queries(head), most_rows, true);
               const Upstream<T> upstream(most_rows, call.sizes.head_dim, call.normaliser());
               for (const RowBlock& block : blocks) {
                 const HeadAnswers<T> answers = all.answers(call, inputs, block.begin, head);
                 const HeadGradients<T> d = all.of_queries(call, block.begin, head, group);
                 const Block<T> dphi = mapped.gradient(d.dx);
                 const Block<const T> phi = mapped.forward(block.size(), answers.q);
                 upstream.compute(block.size(), answers);
                 for (std::int64_t i = block.first; i < block.last; ++i) {
                   const auto [begin, rows] = pieces.part(block, i);
                   const Block<const T> dn = upstream.dn(begin);
                   if (seen_by) seen_by->at(i, head).add(rows, phi.from_row(begin), dn, upstream.dD(begin));
                   if (!d.of_features()) continue;
                   states.at(pieces[i].sequence, head).pull_back(rows, dn, upstream.dD(begin), dphi.from_row(begin));
                 }
                 if (d.of_features()) mapped.backward(block.size(), d.map, d.dx);
               }
             });
}

/// Gradients of keys and values from the queries that see them, summed for each sequence.
template <class T>
void backward_keys(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const Cotangents<T>& all,
                   const States<T>& seen_by) {
  const SequencePieces& pieces = call.key_pieces;
  for_groups(call, pieces, row_block, 3 * call.cost(),
             [&](std::int64_t head, std::int64_t group, const std::vector<RowBlock>& blocks) {
               MappedRows<T> mapped(maps.of_keys(head), rows_of_largest(blocks), true);
               for (const RowBlock& block : blocks) {
                 const HeadKeys<T> keys = inputs.keys(call, block.begin, head);
                 const HeadGradients<T> d = all.of_keys(call, block.begin, head, group);
                 const Block<T> dphi = d.of_features() ? mapped.gradient(d.dx) : Block<T>{nullptr, 0};
                 const Block<const T> phi = mapped.forward(block.size(), keys.k);
                 for (std::int64_t i = block.first; i < block.last; ++i) {
                   const auto [begin, rows] = pieces.part(block, i);
                   pull_back_keys<T>(rows, call.features, call.sizes.head_dim, phi.from_row(begin),
                                     keys.v.from_row(begin), seen_by.at(pieces[i].sequence, head), dphi.from_row(begin),
                                     d.dv.from_row(begin));
                 }
                 if (d.of_features()) mapped.backward(block.size(), d.map, d.dx);
               }
             });
}

template <class T>
void backward_all(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const Cotangents<T>& all) {
  if (!all.dk && !all.dv && !all.map_sums) {
    backward_queries<T>(call, maps, inputs, all, nullptr);
    return;
  }
  const Shape shape{call.query_pieces.count(), call.sizes.heads, call.state_size()};
  const Tensor sums = zeros(shape, dtype_of<T>());
  const Tensor sums_of_sequences = empty(shape.with(0, call.queries.count()), dtype_of<T>());
  const States<T> of_pieces = states_of<T>(call, write<T>(sums, op)),
                  seen_by = states_of<T>(call, write<T>(sums_of_sequences, op));
  backward_queries(call, maps, inputs, all, &of_pieces);
  sum_pieces(call, call.query_pieces, of_pieces, seen_by);
  backward_keys(call, maps, inputs, all, seen_by);
}

/// R at borders, of the queries behind them.
template <class T>
void sum_queries_behind_borders(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs,
                                const Cotangents<T>& all, const States<T>& states) {
  const PieceGroups groups = groups_of(call, call.query_pieces);
  for_borders(
      call, groups, call.cost(), [&](std::int64_t border) { return groups.behind(border); },
      [&](std::int64_t head, std::int64_t border, const std::vector<RowBlock>& blocks) {
        const std::int64_t most_rows = rows_of_largest(blocks);
        MappedRows<T> mapped(maps.of_queries(head), most_rows, false);
        const Upstream<T> upstream(most_rows, call.sizes.head_dim, call.normaliser());
        for (const RowBlock& block : blocks) {
          const HeadAnswers<T> answers = all.answers(call, inputs, block.begin, head);
          upstream.compute(block.size(), answers);
          states.at(border, head)
              .add(block.size(), mapped.forward(block.size(), answers.q), upstream.dn(), upstream.dD());
        }
      });
  for (std::int64_t group = groups.count(); group-- > 0;) {
    add_across_group(groups, group, states, group + 1, group);
  }
}

template <class T>
void backward_causal(const Call& call, const Maps<T>& maps, const Inputs<T>& inputs, const Cotangents<T>& all) {
  const States<T> states = states_of<T>(call, all.states);
  const Tensor sums = zeros_at_borders<T>(call);
  const States<T> at_borders = states_of<T>(call, write<T>(sums, op));
  const bool wants_keys = all.dk || all.dv || all.map_sums;
  if (call.cuts_causal && wants_keys) sum_queries_behind_borders(call, maps, inputs, all, at_borders);
  for_groups(call, call.query_pieces, causal_block, 6 * call.cost(),
             [&](std::int64_t head, std::int64_t group, const std::vector<RowBlock>& blocks) {
               CausalBackward<T> pass(maps.of_queries(head), maps.of_keys(head), rows_of_largest(blocks), call.features,
                                      call.sizes.head_dim, call.normaliser());
               if (call.cuts_causal) pass.start_from(at_borders.begin(group + 1, head));
               for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
                 const std::int64_t row = block->begin;
                 pass.block(block->size(), all.answers(call, inputs, row, head), inputs.keys(call, row, head),
                            all.of_queries(call, row, head, group), all.of_keys(call, row, head, group),
                            causal_parts(call, *block, head, states));
               }
             });
}

template <class T>
void backward(const Call& call, const Inputs<T>& inputs, const Cotangents<T>& all) {
  const Maps<T> maps(call, true);
  if (all.dq) clear_outside(call.queries, all.dq, call.sizes.heads * call.sizes.features);
  if (all.dk) clear_outside(call.keys, all.dk, call.sizes.heads * call.sizes.features);
  if (all.dv) clear_outside(call.keys, all.dv, call.sizes.heads * call.sizes.head_dim);
  if (call.options.causal) {
    backward_causal(call, maps, inputs, all);
  } else {
    backward_all(call, maps, inputs, all);
  }
}

// ---- The op ----

/// q, k, v, and the parameters of all layers, those of queries first.
std::vector<Tensor> inputs_of(const Tensor& q, const Tensor& k, const Tensor& v,
                              const std::vector<FeatureMapLayer>& map, const std::vector<FeatureMapLayer>& key_map) {
  std::vector<Tensor> inputs{q, k, v};
  for (const auto* layers : {&map, &key_map}) {
    for (const FeatureMapLayer& layer : *layers) {
      for (const Tensor& parameter : feature_map_detail::parameters_of(layer)) inputs.push_back(parameter);
    }
  }
  return inputs;
}

constexpr std::size_t parameters_of_layer = std::tuple_size_v<decltype(feature_map_detail::parameters_of({}))>;

/// The layers with these activations whose parameters are `get(first)` and those behind it.
template <class Get>
std::vector<FeatureMapLayer> layers_from(const std::vector<FeatureActivation>& activations, std::size_t first,
                                         Get get) {
  std::vector<FeatureMapLayer> map;
  for (const FeatureActivation activation : activations) {
    map.push_back({activation, get(first), get(first + 1), get(first + 2), get(first + 3), get(first + 4)});
    first += parameters_of_layer;
  }
  return map;
}

std::vector<FeatureActivation> activations_of(const std::vector<FeatureMapLayer>& map) {
  std::vector<FeatureActivation> activations;
  for (const FeatureMapLayer& layer : map) activations.push_back(layer.activation);
  return activations;
}

/// What a tape keeps beside the tensors. A `Call` holds parameters, which the tape must see as saved.
struct Kept {
  Sequences queries, keys;
  KernelAttentionOptions options;
  std::vector<FeatureActivation> activations, key_activations;

  std::size_t inputs() const { return 3 + parameters_of_layer * (activations.size() + key_activations.size()); }
  template <class Get>
  std::vector<FeatureMapLayer> map(Get get) const {
    return layers_from(activations, 3, get);
  }
  /// Empty where keys have that of queries.
  template <class Get>
  std::vector<FeatureMapLayer> key_map(Get get) const {
    return layers_from(key_activations, 3 + parameters_of_layer * activations.size(), get);
  }
};

/// Cotangents of the inputs, which are saved with the output, the denominators and the states behind them.
std::vector<Tensor> kernel_attention_vjp(const Kept& kept, const Backward& b) {
  const std::size_t input_count = kept.inputs();
  const auto saved = [&](std::size_t i) { return b.saved(i); };
  const Call call = call_of(b.saved(0), b.saved(1), b.saved(2), kept.queries, kept.keys, kept.options, kept.map(saved),
                            kept.key_map(saved));
  std::vector<Tensor> result(input_count);
  std::int64_t parameters = 0;
  bool with_parameters = false;
  for (std::size_t i = 0; i < input_count; ++i) {
    if (i >= 3 && b.saved(i).defined()) parameters += b.saved(i).size();
    if (i >= 3) with_parameters |= b.wants(i);
    if (i < 3 && b.wants(i)) result[i] = empty(b.saved(i).shape(), b.saved(i).dtype());
  }
  const Tensor gradients = with_float_type(op, b.saved(0).dtype(), [&]<class T>() {
    const std::int64_t groups =
        std::max<std::int64_t>({1, group_count(call, call.query_pieces), group_count(call, call.key_pieces)});
    const Tensor sums = zeros({groups, with_parameters ? parameters : 0}, dtype_of<T>());
    const Tensor states = b.saved(input_count + 2);
    auto target = [](const Tensor& x) { return x.defined() ? write<T>(x, op) : nullptr; };
    backward<T>(call, {b.saved(0).data<T>(), b.saved(1).data<T>(), b.saved(2).data<T>()},
                {b.cotangent().data<T>(), b.saved(input_count).data<T>(), b.saved(input_count + 1).data<T>(),
                 const_cast<T*>(states.data<T>()), target(result[0]), target(result[1]), target(result[2]),
                 with_parameters ? write<T>(sums, op) : nullptr, parameters});
    return sum_of_blocks<T>(op, sums);
  });
  std::int64_t first = 0;
  for (std::size_t i = 3; i < input_count; ++i) {
    if (b.wants(i)) result[i] = share_buffer(gradients, b.saved(i).shape(), first);
    if (b.saved(i).defined()) first += b.saved(i).size();
  }
  return result;
}

/// D of weights (H, n, l): (H, n, 1), or (n, 1) where it is no sum.
Tensor divisor(const Kept& kept, const Tensor& weights) {
  if (kept.options.normaliser == KernelNormaliser::sum) return sum(weights, {-1}, true) + kept.options.epsilon;
  const std::int64_t queries = weights.size(1), keys = std::max<std::int64_t>(1, weights.size(2));
  const Tensor seen = kept.options.causal ? arange(1, queries + 1, weights.dtype())
                                          : full({queries}, static_cast<double>(keys), weights.dtype());
  return sqrt(reshape(seen, {queries, 1}));
}

/// φ(x), with the input of each layer dropped.
Tensor features_definition(const std::vector<FeatureMapLayer>& map, const std::vector<DropoutMask>& masks,
                           const Tensor& x) {
  Tensor phi = x;
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (!masks.empty()) phi = dropout(phi, masks[i].rate, masks[i].key);
    phi = feature_map_detail::layer_definition(map[i], phi);
  }
  return phi;
}

/// The quadratic form, weights (H, n, l) = φ(q) φ(k)ᵀ.
Tensor definition(const Kept& kept, const std::vector<Tensor>& inputs) {
  const auto input = [&](std::size_t i) { return inputs[i]; };
  const std::vector<FeatureMapLayer> map = kept.map(input), key_map = kept.key_map(input);
  const Tensor phi_q = features_definition(map, kept.options.dropout.queries, inputs[0]);
  const Tensor phi_k = features_definition(key_map.empty() ? map : key_map, kept.options.dropout.keys, inputs[1]);
  auto attend = [&](const Tensor& q, const Tensor& k, const Tensor& value) {
    Tensor weights = matmul(q, k, {.transpose_b = true});
    if (kept.options.causal) weights = weights * causal_mask(q.size(1), 1, 0, q.dtype());
    return matmul(weights, value) / divisor(kept, weights);
  };
  const AttentionSizes sizes =
      check_attention(op, phi_q, phi_k, inputs[2], kept.queries, kept.keys, kept.options.causal);
  return attend_by_sequence(sizes, phi_q, phi_k, inputs[2], kept.queries, kept.keys, attend);
}

}  // namespace kernel_attention_detail

Tensor kernel_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& queries,
                        const Sequences& keys, const KernelAttentionOptions& options,
                        const std::vector<FeatureMapLayer>& map, const std::vector<FeatureMapLayer>& key_map) {
  using namespace kernel_attention_detail;
  const Call call = call_of(q, k, v, queries, keys, options, map, key_map);
  const std::vector<Tensor> inputs = inputs_of(q, k, v, map, key_map);
  const AttentionSizes& sizes = call.sizes;
  Tensor o = empty(q.shape().with(-1, sizes.head_dim), v.dtype());
  Tensor denominators = empty({sizes.heads, sizes.query_rows}, v.dtype());
  const bool keeps_states = !options.causal || is_recording(inputs);
  const Tensor states = empty({keeps_states ? call.states() : 0, sizes.heads, call.state_size()}, v.dtype());
  with_float_type(op, v.dtype(), [&]<class T>() {
    forward<T>(call, {q.data<T>(), k.data<T>(), v.data<T>()},
               {write<T>(o, op), write<T>(denominators, op), keeps_states ? write<T>(states, op) : nullptr});
  });
  const Kept kept{queries, keys, options, activations_of(map), activations_of(key_map)};
  std::vector<Tensor> saved = inputs;
  saved.insert(saved.end(), {o, denominators, states});
  record({.name = op,
          .inputs = inputs,
          .outputs = {o},
          .saved = std::move(saved),
          .vjp = [kept](const Backward& b) { return kernel_attention_vjp(kept, b); },
          .flops = flops_of(call),
          .recomputed_flops = recomputed_flops_of(call),
          .definition = [kept](const std::vector<Tensor>& x) { return std::vector{definition(kept, x)}; }});
  return o;
}

}  // namespace lintel
