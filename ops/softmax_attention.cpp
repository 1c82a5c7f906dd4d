#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/attention_inputs.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/scratch.hpp>
#include <lintel/ops/softmax.hpp>
#include <lintel/ops/softmax_attention.hpp>

namespace lintel {
namespace softmax_attention_detail {

constexpr std::int64_t query_block = 64;  // queries whose weights are at hand at once
/// Queries of a task of the forward pass, which packs the keys and values of its sequence.
constexpr std::int64_t query_stretch = 2048;

/// Shapes and options of one call.
struct Call {
  AttentionSizes sizes;
  Sequences queries, keys;
  bool causal;
  double scale;

  /// Keys that a block of queries meets at once. When causal, half of a block on the diagonal is computed in vain.
  std::int64_t key_block() const { return causal ? 256 : 512; }

  /// Operations of `rows` queries of one head, for sequences of average length.
  double cost(double rows) const {
    const double keys_each = share_of_task(static_cast<double>(sizes.key_rows), keys.count());
    return rows * keys_each * static_cast<double>(sizes.features + sizes.head_dim + 20) / 8;
  }
};

/// Pointers to all rows and heads of the inputs.
template <class T>
struct Inputs {
  const T *q, *k, *v;
};

/// One head of one sequence.
template <class T>
struct Head {
  const Call& call;
  std::int64_t sequence, head;
  Block<const T> q, k, v;

  Head(const Call& of, const Inputs<T>& inputs, std::int64_t sequence_index, std::int64_t head_index)
      : call(of),
        sequence(sequence_index),
        head(head_index),
        q(of.sizes.head_of(inputs.q, of.queries.begin(sequence), head, of.sizes.features)),
        k(of.sizes.head_of(inputs.k, of.keys.begin(sequence), head, of.sizes.features)),
        v(of.sizes.head_of(inputs.v, of.keys.begin(sequence), head, of.sizes.head_dim)) {}

  std::int64_t queries() const { return call.queries.length(sequence); }
  std::int64_t keys() const { return call.keys.length(sequence); }
  T scale() const { return static_cast<T>(call.scale); }
  /// Where this head's queries begin in an array (heads, query rows).
  std::int64_t number() const { return head * call.sizes.query_rows + call.queries.begin(sequence); }
};

template <class T>
void clear_rows(Block<T> x, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) std::fill_n(x.from_row(r).first, columns, T(0));
}

// ---- Forward ----

/// Stretches of queries of all heads and sequences, in the order of their tasks.
struct Place {
  std::int64_t sequence, head, begin;
};

std::vector<Place> places_of(const Call& call) {
  std::vector<Place> places;
  for (std::int64_t sequence = 0; sequence < call.queries.count(); ++sequence) {
    for (std::int64_t begin = 0; begin < call.queries.length(sequence); begin += query_stretch) {
      for (std::int64_t head = 0; head < call.sizes.heads; ++head) places.push_back({sequence, head, begin});
    }
  }
  return places;
}

/// A stretch of queries: the softmax goes over one block of keys after the other, with the largest score and the sum of
/// e^(score − largest) so far.
template <class T>
void forward_stretch(const Head<T>& h, std::int64_t begin, Block<T> o, T* maximum, T* sum) {
  const Kernels<T>& kernels = active_kernels<T>();
  const std::int64_t end = std::min(h.queries(), begin + query_stretch);
  const std::int64_t features = h.call.sizes.features, head_dim = h.call.sizes.head_dim;
  const Scratch<T> weights(query_block * std::min(h.call.key_block(), h.keys()));
  clear_rows(o.from_row(begin), end - begin, head_dim);
  std::fill(maximum + begin, maximum + end, -std::numeric_limits<T>::infinity());
  std::fill(sum + begin, sum + end, T(0));
  const std::int64_t seen = h.call.causal ? end : h.keys();
  for (std::int64_t key = 0; key < seen; key += h.call.key_block()) {
    const std::int64_t keys = std::min(h.call.key_block(), h.keys() - key);
    const PackedMatrix<T> k(features, keys, {h.k.from_row(key).first, h.k.stride, true});
    const PackedMatrix<T> v(keys, head_dim, {h.v.from_row(key).first, h.v.stride});
    const std::int64_t first = h.call.causal ? std::max(begin, key) : begin;
    for (std::int64_t query = first; query < end; query += query_block) {
      const std::int64_t rows = std::min(query_block, end - query);
      const std::int64_t visible = h.call.causal ? query + 1 - key : keys;
      const Block<T> out = o.from_row(query);
      gemm<T>(rows, h.scale(), {h.q.from_row(query).first, h.q.stride}, k, weights, keys);
      kernels.score_weights_forward(weights, maximum + query, sum + query, out.first, out.stride, head_dim, rows, keys,
                                    visible, h.call.causal ? 1 : 0);
      multiply<T>(rows, {weights, keys}, v, out, true);
    }
  }
  if (h.keys() == 0) return;
  const Block<T> out = o.from_row(begin);
  kernels.divide_rows(out.first, out.stride, sum + begin, out.first, out.stride, end - begin, head_dim);
}

/// Of the product whose results are the scores that are not hidden, each from `depth` numbers.
double flops_of_scores(const Call& call, std::int64_t depth) {
  double flops = 0;
  for (std::int64_t i = 0; i < call.queries.count(); ++i) {
    const std::int64_t rows = call.queries.length(i), keys = call.keys.length(i);
    const std::int64_t scores = call.causal ? rows * (rows + 1) / 2 : rows * keys;
    flops += product_flops(scores, call.sizes.heads, depth);
  }
  return flops;
}

template <class T>
void forward(const Call& call, const Inputs<T>& inputs, T* o, T* maximum, T* sum) {
  const AttentionSizes& sizes = call.sizes;
  clear_outside(call.queries, o, sizes.heads * sizes.head_dim);
  const std::vector<Place> places = places_of(call);
  const auto tasks = static_cast<std::int64_t>(places.size());
  const double cost = share_of_task(call.cost(static_cast<double>(sizes.query_rows * sizes.heads)), tasks);
  parallel_for(tasks, cost, [&](std::int64_t task) {
    const auto [sequence, head, begin] = places[static_cast<std::size_t>(task)];
    const Head<T> h(call, inputs, sequence, head);
    forward_stretch(h, begin, sizes.head_of(o, call.queries.begin(sequence), head, sizes.head_dim),
                    maximum + h.number(), sum + h.number());
  });
}

// ---- Backward ----

/// Pointers to all rows and heads; null gradients are not computed.
template <class T>
struct Cotangents {
  const T *g, *o, *maximum, *sum;
  T *dq, *dk, *dv;
};

/// The same of one head of one sequence; `mean` = Σ w·dw = g·o for each query.
template <class T>
struct HeadCotangents {
  Block<const T> g;
  const T *maximum, *sum, *mean;
  Block<T> dq, dk, dv;
};

/// A block of keys with all queries that see any of it: dw = g vᵀ, ds = w·(dw − mean); dq += scale·ds k,
/// dk += scale·dsᵀ q, dv += wᵀ g.
template <class T>
void backward_keys(const Head<T>& h, const HeadCotangents<T>& d, std::int64_t key, T* weights, T* dweights) {
  const Kernels<T>& kernels = active_kernels<T>();
  const std::int64_t features = h.call.sizes.features, head_dim = h.call.sizes.head_dim;
  const std::int64_t keys = std::min(h.call.key_block(), h.keys() - key);
  const Block<const T> k = h.k.from_row(key), v = h.v.from_row(key);
  const PackedMatrix<T> k_transposed(features, keys, {k.first, k.stride, true});
  const PackedMatrix<T> v_transposed(head_dim, keys, {v.first, v.stride, true});
  const PackedMatrix<T> k_packed(keys, features, {k.first, k.stride});
  const Block<T> w{weights, keys}, ds{dweights, keys};
  for (std::int64_t query = h.call.causal ? key : 0; query < h.queries(); query += query_block) {
    const std::int64_t rows = std::min(query_block, h.queries() - query);
    const std::int64_t visible = h.call.causal ? query + 1 - key : keys;
    const Block<const T> q = h.q.from_row(query), g = d.g.from_row(query);
    gemm<T>(rows, h.scale(), {q.first, q.stride}, k_transposed, weights, keys);
    multiply<T>(rows, g, v_transposed, ds);
    kernels.score_weights_backward(weights, dweights, d.maximum + query, d.sum + query, d.mean + query, rows, keys,
                                   visible, h.call.causal ? 1 : 0);
    if (d.dq.first) {
      const Block<T> dq = d.dq.from_row(query);
      gemm<T>(rows, h.scale(), {dweights, keys}, k_packed, dq.first, dq.stride, {.accumulate = true});
    }
    if (d.dk.first) multiply_transposed_a<T>(keys, features, rows, ds, q, d.dk.from_row(key), true, h.scale());
    if (d.dv.first) multiply_transposed_a<T>(keys, head_dim, rows, w, g, d.dv.from_row(key), true);
  }
}

template <class T>
void backward_head(const Head<T>& h, const HeadCotangents<T>& d) {
  const std::int64_t elements = query_block * std::min(h.call.key_block(), h.keys());
  const Scratch<T> weights(elements), dweights(elements);
  if (d.dq.first) clear_rows(d.dq, h.queries(), h.call.sizes.features);
  if (d.dk.first) clear_rows(d.dk, h.keys(), h.call.sizes.features);
  if (d.dv.first) clear_rows(d.dv, h.keys(), h.call.sizes.head_dim);
  for (std::int64_t key = 0; key < h.keys(); key += h.call.key_block()) backward_keys<T>(h, d, key, weights, dweights);
}

/// A task is one head of one sequence, since all of its queries add to the gradients of its keys, and its keys to those
/// of its queries.
template <class T>
void backward(const Call& call, const Inputs<T>& inputs, const Cotangents<T>& all) {
  const AttentionSizes& sizes = call.sizes;
  if (all.dq) clear_outside(call.queries, all.dq, sizes.heads * sizes.features);
  if (all.dk) clear_outside(call.keys, all.dk, sizes.heads * sizes.features);
  if (all.dv) clear_outside(call.keys, all.dv, sizes.heads * sizes.head_dim);
  const double rows = share_of_task(static_cast<double>(sizes.query_rows), call.queries.count());
  parallel_for(call.queries.count() * sizes.heads, 2 * call.cost(rows), [&](std::int64_t task) {
    const std::int64_t sequence = task / sizes.heads, head = task % sizes.heads;
    const std::int64_t query = call.queries.begin(sequence), key = call.keys.begin(sequence);
    const Head<T> h(call, inputs, sequence, head);
    const Block<const T> g = sizes.head_of(all.g, query, head, sizes.head_dim);
    const Block<const T> o = sizes.head_of(all.o, query, head, sizes.head_dim);
    const Scratch<T> mean(h.queries());
    active_kernels<T>().row_dots(g.first, g.stride, o.first, o.stride, T(0), mean, h.queries(), sizes.head_dim);
    backward_head<T>(
        h, {g, all.maximum + h.number(), all.sum + h.number(), mean, sizes.head_of(all.dq, query, head, sizes.features),
            sizes.head_of(all.dk, key, head, sizes.features), sizes.head_of(all.dv, key, head, sizes.head_dim)});
  });
}

/// Cotangents of q, k and v, which are saved with the output, the largest scores and the sums.
std::vector<Tensor> softmax_attention_vjp(const Call& call, const Backward& b) {
  std::vector<Tensor> result(3);
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (b.wants(i)) result[i] = empty(b.saved(i).shape(), b.saved(i).dtype());
  }
  with_float_type("softmax_attention", b.saved(0).dtype(), [&]<class T>() {
    auto target = [](const Tensor& x) { return x.defined() ? write<T>(x, "softmax_attention") : nullptr; };
    backward<T>(call, {b.saved(0).data<T>(), b.saved(1).data<T>(), b.saved(2).data<T>()},
                {b.cotangent().data<T>(), b.saved(3).data<T>(), b.saved(4).data<T>(), b.saved(5).data<T>(),
                 target(result[0]), target(result[1]), target(result[2])});
  });
  return result;
}

/// The whole matrix of scores (H, n, l), a hidden one −∞.
Tensor definition(const Call& call, const Tensor& q, const Tensor& k, const Tensor& v) {
  auto attend = [&](const Tensor& query, const Tensor& key, const Tensor& value) {
    Tensor scores = matmul(query, key, {.transpose_b = true}) * call.scale;
    if (call.causal) {
      scores = scores + causal_mask(query.size(1), 0, -std::numeric_limits<double>::infinity(), query.dtype());
    }
    return matmul(softmax(scores), value);
  };
  return attend_by_sequence(call.sizes, q, k, v, call.queries, call.keys, attend);
}

}  // namespace softmax_attention_detail

Tensor softmax_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Sequences& queries,
                         const Sequences& keys, const SoftmaxAttentionOptions& options) {
  using namespace softmax_attention_detail;
  const AttentionSizes sizes = check_attention("softmax_attention", q, k, v, queries, keys, options.causal);
  if (!(options.scale >= 0 && std::isfinite(options.scale))) {
    fail("softmax_attention: scale is ", options.scale, ", a positive number wanted, or 0 for the default");
  }
  const double default_scale = 1 / std::sqrt(std::max(1.0, static_cast<double>(sizes.features)));
  const Call call{sizes, queries, keys, options.causal, options.scale > 0 ? options.scale : default_scale};
  Tensor o = empty(q.shape().with(-1, sizes.head_dim), q.dtype());
  Tensor maximum = empty({sizes.heads, sizes.query_rows}, q.dtype()), sum = empty(maximum.shape(), q.dtype());
  with_float_type("softmax_attention", q.dtype(), [&]<class T>() {
    forward<T>(call, {q.data<T>(), k.data<T>(), v.data<T>()}, write<T>(o, "softmax_attention"),
               write<T>(maximum, "softmax_attention"), write<T>(sum, "softmax_attention"));
  });
  record({.name = "softmax_attention",
          .inputs = {q, k, v},
          .outputs = {o},
          .saved = {q, k, v, o, maximum, sum},
          .vjp = [call](const Backward& b) { return softmax_attention_vjp(call, b); },
          .flops = flops_of_scores(call, call.sizes.features + call.sizes.head_dim),
          .recomputed_flops = flops_of_scores(call, call.sizes.features),
          .definition =
              [call](const std::vector<Tensor>& inputs) {
                return std::vector{definition(call, inputs[0], inputs[1], inputs[2])};
              }});
  return o;
}

}  // namespace lintel
