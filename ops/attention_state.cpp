#include <algorithm>
#include <cmath>
#include <limits>

#include <lintel/core/parallel.hpp>
#include <lintel/ops/attention_inputs.hpp>
#include <lintel/ops/attention_state.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/kernel_attention_head.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel {
namespace attention_state_detail {

constexpr std::int64_t query_block = 64;  // queries of softmax attention whose weights are at hand at once

void check_streams(const char* op, const Sequences& sequences, const Tensor& memory) {
  if (sequences.count() == memory.size(0)) return;
  fail(op, ": ", sequences.count(), " sequences for ", memory.size(0), " streams, one for each wanted");
}

void check_shape(const char* op, const Tensor& memory, const Shape& wanted, const char* name) {
  if (memory.shape() != wanted) fail(op, ": the state's ", name, " is ", memory.shape(), ", ", wanted, " wanted");
}

void check_sums(const char* op, const Tensor& phi_k, const Tensor& v, const KernelSums& sums) {
  check_dtype(op, sums.matrix, v.dtype(), "the state's matrix");
  check_dtype(op, sums.vector, v.dtype(), "the state's vector");
  const std::int64_t streams = sums.matrix.size(0), heads = v.size(-2), features = phi_k.size(-1);
  check_shape(op, sums.matrix, {streams, heads, features, v.size(-1)}, "matrix");
  check_shape(op, sums.vector, {streams, heads, features}, "vector");
}

// ---- Kernel attention ----

using kernel_attention_detail::CausalRows;
using kernel_attention_detail::Normaliser;
using kernel_attention_detail::State;

/// One head of one stream: its new rows, and its sums.
template <class T>
struct Head {
  std::int64_t stream, rows, features, head_dim;
  CausalRows<T> inputs;
  State<T> sums;
  Block<T> o;
};

/// Calls `read(head)` for every head of every stream, in parallel; the rows of stream i are those of sequence i.
template <class T, class Read>
void for_each_head(const char* op, const Tensor& phi_q, const Tensor& phi_k, const Tensor& v,
                   const Sequences& sequences, const KernelSums& sums, const Tensor& o, Read&& read) {
  const AttentionSizes sizes{sequences.rows(), sequences.rows(), v.size(-2), phi_q.size(-1), v.size(-1)};
  const T *queries = phi_q.data<T>(), *keys = phi_k.data<T>(), *values = v.data<T>();
  T *output = write<T>(o, op), *matrices = write<T>(sums.matrix, op), *vectors = write<T>(sums.vector, op);
  clear_outside(sequences, output, sizes.heads * sizes.head_dim);
  const double rows = share_of_task(static_cast<double>(sequences.rows()), sequences.count());
  const double cost = rows * static_cast<double>(sizes.features * sizes.head_dim) / 4;
  parallel_for(sequences.count() * sizes.heads, cost, [&](std::int64_t task) {
    const std::int64_t stream = task / sizes.heads, head = task % sizes.heads, row = sequences.begin(stream);
    read(Head<T>{stream,
                 sequences.length(stream),
                 sizes.features,
                 sizes.head_dim,
                 {sizes.head_of(queries, row, head, sizes.features), sizes.head_of(keys, row, head, sizes.features),
                  sizes.head_of(values, row, head, sizes.head_dim)},
                 State<T>(sizes.features, sizes.head_dim, matrices + task * sizes.features * sizes.head_dim,
                          vectors + task * sizes.features),
                 sizes.head_of(output, row, head, sizes.head_dim)});
  });
}

// ---- Softmax attention ----

template <class T>
void append(const Tensor& x, const Sequences& sequences, const std::int64_t* lengths, const Tensor& cache) {
  const std::int64_t heads = cache.size(1), capacity = cache.size(2), size = cache.size(3);
  const T* from = x.data<T>();
  T* to = write<T>(cache, "append_to_cache");
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    if (lengths[i] + sequences.length(i) > capacity) {
      fail("append_to_cache: stream ", i, " has ", lengths[i], " tokens and gets ", sequences.length(i),
           " more, at most ", capacity, " wanted");
    }
    for (std::int64_t row = 0; row < sequences.length(i); ++row) {
      for (std::int64_t head = 0; head < heads; ++head) {
        std::copy_n(from + ((sequences.begin(i) + row) * heads + head) * size, size,
                    to + ((i * heads + head) * capacity + lengths[i] + row) * size);
      }
    }
  }
}

/// At most `query_block` queries of one head, of which query r sees the first `visible` + r of the keys.
template <class T>
struct Queries {
  std::int64_t rows, visible, features, head_dim;
  Block<const T> q, k, v;
  Block<T> o;

  std::int64_t keys() const { return visible + rows - 1; }
};

template <class T>
void attend(const Queries<T>& b) {
  const Kernels<T>& kernels = active_kernels<T>();
  const std::int64_t keys = b.keys();
  const auto scale = static_cast<T>(1 / std::sqrt(std::max(1.0, static_cast<double>(b.features))));
  const Scratch<T> weights(b.rows * keys), maximum(b.rows), sum(b.rows);
  multiply_transposed_b<T>(b.rows, keys, b.features, b.q, b.k, {weights, keys}, false, scale);
  std::fill_n(static_cast<T*>(maximum), b.rows, -std::numeric_limits<T>::infinity());
  std::fill_n(static_cast<T*>(sum), b.rows, T(0));
  kernels.score_weights_forward(weights, maximum, sum, nullptr, 0, 0, b.rows, keys, b.visible, 1);
  if (b.rows == 1) {  // a product of matrices would copy the values first
    std::fill_n(b.o.first, b.head_dim, T(0));
    kernels.add_weighted_column_sums(b.v.first, b.v.stride, weights, b.o.first, keys, b.head_dim);
  } else {
    multiply<T>(b.rows, b.head_dim, keys, {weights, keys}, b.v, b.o);
  }
  kernels.divide_rows(b.o.first, b.o.stride, sum, b.o.first, b.o.stride, b.rows, b.head_dim);
}

template <class T>
void attend_all(const Tensor& q, const Sequences& sequences, const std::int64_t* lengths, const KeyValueCache& cache,
                const Tensor& o) {
  const std::int64_t heads = q.size(-2), groups = cache.keys.size(1), capacity = cache.keys.size(2);
  const AttentionSizes sizes{sequences.rows(), 0, heads, q.size(-1), cache.values.size(3)};
  const T *queries = q.data<T>(), *keys = cache.keys.data<T>(), *values = cache.values.data<T>();
  T* output = write<T>(o, "softmax_attention_cached");
  clear_outside(sequences, output, heads * sizes.head_dim);
  double cost = 0;  // of a head of an average stream
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    cost += static_cast<double>(sequences.length(i)) * static_cast<double>(lengths[i] + sequences.length(i)) *
            static_cast<double>(sizes.features + sizes.head_dim) / (8 * static_cast<double>(sequences.count()));
  }
  parallel_for(sequences.count() * heads, cost, [&](std::int64_t task) {
    const std::int64_t stream = task / heads, head = task % heads, row = sequences.begin(stream);
    const std::int64_t kept = (stream * groups + head * groups / heads) * capacity;
    for (std::int64_t begin = 0; begin < sequences.length(stream); begin += query_block) {
      attend<T>({std::min(query_block, sequences.length(stream) - begin),
                 lengths[stream] + begin + 1,
                 sizes.features,
                 sizes.head_dim,
                 sizes.head_of(queries, row + begin, head, sizes.features),
                 {keys + kept * sizes.features, sizes.features},
                 {values + kept * sizes.head_dim, sizes.head_dim},
                 sizes.head_of(output, row + begin, head, sizes.head_dim)});
    }
  });
}

}  // namespace attention_state_detail

Tensor kernel_attention_prefill(const Tensor& phi_q, const Tensor& phi_k, const Tensor& v, const Sequences& sequences,
                                const std::int64_t* lengths, const KernelAttentionOptions& options,
                                const KernelSums& sums) {
  using namespace attention_state_detail;
  constexpr const char* op = "kernel_attention_prefill";
  check_attention(op, phi_q, phi_k, v, sequences, sequences, true);
  check_sums(op, phi_k, v, sums);
  check_streams(op, sequences, sums.matrix);
  Tensor o = empty(v.shape(), v.dtype());
  with_float_type(op, v.dtype(), [&]<class T>() {
    for_each_head<T>(op, phi_q, phi_k, v, sequences, sums, o, [&](const Head<T>& h) {
      const Scratch<T> denominators(h.rows);
      kernel_attention_detail::read_causal<T>(h.rows, h.features, h.head_dim, h.inputs, h.sums, lengths[h.stream],
                                              Normaliser(options), h.o, denominators);
    });
  });
  return o;
}

Tensor kernel_attention_step(const Tensor& phi_q, const Tensor& phi_k, const Tensor& v, const std::int64_t* lengths,
                             const KernelAttentionOptions& options, const KernelSums& sums) {
  using namespace attention_state_detail;
  constexpr const char* op = "kernel_attention_step";
  const Sequences one_each = Sequences::padded(v.size(0), 1);
  check_attention(op, phi_q, phi_k, v, one_each, one_each, true);
  check_sums(op, phi_k, v, sums);
  check_streams(op, one_each, sums.matrix);
  Tensor o = empty(v.shape(), v.dtype());
  with_float_type(op, v.dtype(), [&]<class T>() {
    for_each_head<T>(op, phi_q, phi_k, v, one_each, sums, o, [&](const Head<T>& h) {
      T divisor = 0;
      Normaliser(options).replace(&divisor, 1, lengths[h.stream] + 1, 0);
      active_kernels<T>().attention_state_step(h.inputs.phi_q.first, h.inputs.phi_k.first, h.inputs.v.first,
                                               h.sums.matrix().first, h.sums.vector(), h.o.first, h.features,
                                               h.head_dim, static_cast<T>(options.epsilon), divisor);
    });
  });
  return o;
}

void append_to_cache(const Tensor& k, const Tensor& v, const Sequences& sequences, const std::int64_t* lengths,
                     const KeyValueCache& cache) {
  using namespace attention_state_detail;
  constexpr const char* op = "append_to_cache";
  check_attention(op, k, k, v, sequences, sequences, true);
  check_streams(op, sequences, cache.keys);
  const std::int64_t streams = cache.keys.size(0), capacity = cache.keys.size(2);
  check_dtype(op, cache.keys, k.dtype(), "the state's keys");
  check_dtype(op, cache.values, k.dtype(), "the state's values");
  check_shape(op, cache.keys, {streams, k.size(-2), capacity, k.size(-1)}, "keys");
  check_shape(op, cache.values, {streams, k.size(-2), capacity, v.size(-1)}, "values");
  with_float_type(op, k.dtype(), [&]<class T>() {
    append<T>(k, sequences, lengths, cache.keys);
    append<T>(v, sequences, lengths, cache.values);
  });
}

Tensor softmax_attention_cached(const Tensor& q, const Sequences& sequences, const std::int64_t* lengths,
                                const KeyValueCache& cache) {
  using namespace attention_state_detail;
  constexpr const char* op = "softmax_attention_cached";
  check_streams(op, sequences, cache.keys);
  check_dtype(op, cache.keys, q.dtype(), "the state's keys");
  if (q.rank() != 3 || q.size(0) != sequences.rows() || q.size(2) != cache.keys.size(3)) {
    fail(op, ": queries ", q.shape(), " do not fit ", sequences.rows(), " rows and keys ", cache.keys.shape());
  }
  Tensor o = empty(q.shape().with(-1, cache.values.size(3)), q.dtype());
  with_float_type(op, q.dtype(), [&]<class T>() { attend_all<T>(q, sequences, lengths, cache, o); });
  return o;
}

}  // namespace lintel
