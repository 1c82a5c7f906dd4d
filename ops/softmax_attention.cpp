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

constexpr std::int64_t block = 64;  // queries whose weights are at hand at once

/// Shapes and options of one call.
struct Call {
  AttentionSizes sizes;
  Sequences queries, keys;
  bool causal;
  double scale;

  /// Operations of `rows` queries of one head, for sequences of average length.
  double cost(double rows) const {
    const double keys_each = static_cast<double>(sizes.key_rows) / std::max(1.0, static_cast<double>(keys.count()));
    return rows * keys_each * static_cast<double>(sizes.features + sizes.head_dim + 20) / 8;
  }
};

/// At most `block` queries of one head of one sequence, and the keys that they see.
template <class T>
struct QueryBlock {
  std::int64_t query, head;                        // the first row in the whole tensor, and the head
  std::int64_t rows, keys, first_visible, growth;  // query r sees min(keys, first_visible + r·growth) keys
  std::int64_t features, head_dim;
  T scale;
  Block<const T> q, k, v;

  /// scale·q·kᵀ into `scores` (rows, keys).
  void score(T* scores) const { multiply_transposed_b<T>(rows, keys, features, q, k, {scores, keys}, false, scale); }
};

/// Pointers to all rows and heads of the inputs.
template <class T>
struct Inputs {
  const T *q, *k, *v;

  /// The block that begins with query `begin` of a sequence.
  QueryBlock<T> block_of(const Call& call, std::int64_t sequence, std::int64_t head, std::int64_t begin) const {
    const AttentionSizes& sizes = call.sizes;
    const std::int64_t rows = std::min(block, call.queries.length(sequence) - begin);
    const std::int64_t keys = call.keys.length(sequence);
    const std::int64_t query = call.queries.begin(sequence) + begin, key = call.keys.begin(sequence);
    return {query,
            head,
            rows,
            call.causal ? begin + rows : keys,
            call.causal ? begin + 1 : keys,
            call.causal ? 1 : 0,
            sizes.features,
            sizes.head_dim,
            static_cast<T>(call.scale),
            sizes.head_of(q, query, head, sizes.features),
            sizes.head_of(k, key, head, sizes.features),
            sizes.head_of(v, key, head, sizes.head_dim)};
  }
};

template <class T>
void clear_rows(Block<T> x, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r) std::fill_n(x.from_row(r).first, columns, T(0));
}

// ---- Forward ----

/// The places of all blocks, in the order of their tasks.
struct Place {
  std::int64_t sequence, head, begin;
};

std::vector<Place> places_of(const Call& call) {
  std::vector<Place> places;
  for (std::int64_t sequence = 0; sequence < call.queries.count(); ++sequence) {
    for (std::int64_t begin = 0; begin < call.queries.length(sequence); begin += block) {
      for (std::int64_t head = 0; head < call.sizes.heads; ++head) places.push_back({sequence, head, begin});
    }
  }
  return places;
}

/// Keeps the largest score of each query, and the sum of e^(score − largest).
template <class T>
void forward_block(const QueryBlock<T>& b, T* maximum, T* sum, Block<T> o) {
  if (b.keys == 0) return clear_rows(o, b.rows, b.head_dim);
  const Kernels<T>& kernels = active_kernels<T>();
  const Scratch<T> weights(b.rows * b.keys);
  b.score(weights);
  kernels.score_weights_forward(weights, maximum, sum, b.rows, b.keys, b.first_visible, b.growth);
  multiply<T>(b.rows, b.head_dim, b.keys, {weights, b.keys}, b.v, o);
  kernels.divide_rows(o.first, o.stride, sum, o.first, o.stride, b.rows, b.head_dim);
}

/// Of the scores that are not hidden, and of the weighted sums.
double flops_of(const Call& call) {
  double flops = 0;
  for (std::int64_t i = 0; i < call.queries.count(); ++i) {
    const std::int64_t rows = call.queries.length(i), keys = call.keys.length(i);
    const std::int64_t scores = call.causal ? rows * (rows + 1) / 2 : rows * keys;
    flops += product_flops(scores, call.sizes.heads, call.sizes.features + call.sizes.head_dim);
  }
  return flops;
}

template <class T>
void forward(const Call& call, const Inputs<T>& inputs, T* o, T* maximum, T* sum) {
  const AttentionSizes& sizes = call.sizes;
  clear_outside(call.queries, o, sizes.heads * sizes.head_dim);
  const std::vector<Place> places = places_of(call);
  parallel_for(static_cast<std::int64_t>(places.size()), call.cost(block), [&](std::int64_t task) {
    const auto [sequence, head, begin] = places[static_cast<std::size_t>(task)];
    const QueryBlock<T> b = inputs.block_of(call, sequence, head, begin);
    const std::int64_t number = head * sizes.query_rows + b.query;
    forward_block(b, maximum + number, sum + number, sizes.head_of(o, b.query, head, sizes.head_dim));
  });
}

// ---- Backward ----

/// Pointers to all rows and heads; null gradients are not computed.
template <class T>
struct Cotangents {
  const T *g, *o, *maximum, *sum;
  T *dq, *dk, *dv;
};

/// dw = g vᵀ, ds = w·(dw − g·o); dq = scale·ds k, dk += scale·dsᵀ q, dv += wᵀ g.
template <class T>
void backward_block(const AttentionSizes& sizes, const QueryBlock<T>& b, const Cotangents<T>& all, Block<T> dk,
                    Block<T> dv) {
  const Kernels<T>& kernels = active_kernels<T>();
  const Scratch<T> weights(b.rows * b.keys), dweights(b.rows * b.keys), mean(b.rows);
  const Block<const T> g = sizes.head_of(all.g, b.query, b.head, b.head_dim);
  const Block<const T> o = sizes.head_of(all.o, b.query, b.head, b.head_dim);
  const Block<T> dq = sizes.head_of(all.dq, b.query, b.head, b.features), w{weights, b.keys}, ds{dweights, b.keys};
  const std::int64_t number = b.head * sizes.query_rows + b.query;
  b.score(weights);
  multiply_transposed_b<T>(b.rows, b.keys, b.head_dim, g, b.v, ds);
  kernels.row_dots(g.first, g.stride, o.first, o.stride, T(0), mean, b.rows, b.head_dim);
  kernels.score_weights_backward(weights, dweights, all.maximum + number, all.sum + number, mean, b.rows, b.keys,
                                 b.first_visible, b.growth);
  if (dq.first) multiply<T>(b.rows, b.features, b.keys, ds, b.k, dq, false, b.scale);
  if (dk.first) multiply_transposed_a<T>(b.keys, b.features, b.rows, ds, b.q, dk, true, b.scale);
  if (dv.first) multiply_transposed_a<T>(b.keys, b.head_dim, b.rows, w, g, dv, true);
}

/// A task is one head of one sequence, since all of its queries add to the gradients of its keys.
template <class T>
void backward(const Call& call, const Inputs<T>& inputs, const Cotangents<T>& all) {
  const AttentionSizes& sizes = call.sizes;
  if (all.dq) clear_outside(call.queries, all.dq, sizes.heads * sizes.features);
  if (all.dk) clear_outside(call.keys, all.dk, sizes.heads * sizes.features);
  if (all.dv) clear_outside(call.keys, all.dv, sizes.heads * sizes.head_dim);
  const double rows = static_cast<double>(sizes.query_rows) / std::max(1.0, static_cast<double>(call.queries.count()));
  parallel_for(call.queries.count() * sizes.heads, 2 * call.cost(rows), [&](std::int64_t task) {
    const std::int64_t sequence = task / sizes.heads, head = task % sizes.heads;
    const std::int64_t key = call.keys.begin(sequence), keys = call.keys.length(sequence);
    const Block<T> dk = sizes.head_of(all.dk, key, head, sizes.features);
    const Block<T> dv = sizes.head_of(all.dv, key, head, sizes.head_dim);
    if (dk.first) clear_rows(dk, keys, sizes.features);
    if (dv.first) clear_rows(dv, keys, sizes.head_dim);
    for (std::int64_t begin = 0; begin < call.queries.length(sequence); begin += block) {
      backward_block(sizes, inputs.block_of(call, sequence, head, begin), all, dk, dv);
    }
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
          .flops = flops_of(call),
          .definition =
              [call](const std::vector<Tensor>& inputs) {
                return std::vector{definition(call, inputs[0], inputs[1], inputs[2])};
              }});
  return o;
}

}  // namespace lintel
