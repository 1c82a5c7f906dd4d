// Kernel attention of one head, serially: what the tasks of kernel_attention.cpp do.
//
// S = Σ φ(k_j) v_jᵀ and z = Σ φ(k_j) over the keys that a query sees; n = φ(q)ᵀS, D = φ(q)·z + epsilon, o = n/D.
// Upstream g: dn = g/D, dD = −(g·o)/D; dφ(q) = S dn + z dD; with R = Σ φ(q_i) dn_iᵀ and r = Σ φ(q_i) dD_i over the
// queries that see a key: dφ(k) = R v + r, dv = Rᵀ φ(k). Features are computed block by block, in both passes.
#pragma once

#include <algorithm>

#include <lintel/ops/feature_map_head.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel::kernel_attention_detail {

using feature_map_detail::HeadMap;
using feature_map_detail::MapGradients;
using feature_map_detail::MappedRows;

constexpr std::int64_t chunk = kernel_attention_chunk;
/// Rows whose features are at hand at once: with what their backward pass needs they should fit the second-level cache.
constexpr std::int64_t row_block = 256;
/// Rows of a block of the causal form. At the beginning of each the forward pass keeps the state for the backward pass.
constexpr std::int64_t causal_block = 8 * chunk;

/// The running sums of one head: M = Σ a_i b_iᵀ (features, head_dim) and w = Σ weight_i a_i (features). With a = φ(k),
/// b = v and weights 1 they are S and z of the forward pass; with a = φ(q), b = dn and weights dD they are R and
/// r, which the causal backward pass sums from the last query to the first.
template <class T>
class State {
 public:
  /// The numbers of a state.
  static std::int64_t size(std::int64_t features, std::int64_t head_dim) { return features * (head_dim + 1); }

  /// Over `size` numbers: M, then w.
  State(std::int64_t features, std::int64_t head_dim, T* numbers)
      : State(features, head_dim, numbers, numbers + features * head_dim) {}
  /// Over M and w wherever they are.
  State(std::int64_t features, std::int64_t head_dim, T* matrix, T* vector)
      : features_(features), head_dim_(head_dim), matrix_(matrix), vector_(vector) {}

  Block<T> matrix() const { return {matrix_, head_dim_}; }
  T* vector() const { return vector_; }

  /// Null weights are ones.
  void add(std::int64_t rows, Block<const T> a, Block<const T> b, const T* weights) const {
    multiply_transposed_a<T>(features_, head_dim_, rows, a, b, matrix(), true);
    if (weights) {
      active_kernels<T>().add_weighted_column_sums(a.first, a.stride, weights, vector(), rows, features_);
    } else {
      active_kernels<T>().add_column_sums(a.first, a.stride, vector(), rows, features_);
    }
  }

  /// n = aM and D = a·w + epsilon for each row: what features a read.
  void read(std::int64_t rows, Block<const T> a, T epsilon, Block<T> n, T* denominators) const {
    multiply<T>(rows, head_dim_, features_, a, matrix(), n);
    active_kernels<T>().row_dots(a.first, a.stride, vector(), 0, epsilon, denominators, rows, features_);
  }

  /// result = b·Mᵀ + weight wᵀ for each row: the cotangent of the features a that met this state. Null weights are
  /// ones.
  void pull_back(std::int64_t rows, Block<const T> b, const T* weights, Block<T> result) const {
    multiply_transposed_b<T>(rows, features_, head_dim_, b, matrix(), result);
    active_kernels<T>().add_outer(weights, vector(), result.first, result.stride, rows, features_);
  }

 private:
  std::int64_t features_, head_dim_;
  T *matrix_, *vector_;
};

/// A state of its own, 0 at first.
template <class T>
class OwnState {
 public:
  OwnState(std::int64_t features, std::int64_t head_dim)
      : numbers_(State<T>::size(features, head_dim)), state_(features, head_dim, numbers_) {
    std::fill_n(static_cast<T*>(numbers_), State<T>::size(features, head_dim), T(0));
  }
  const State<T>& operator*() const { return state_; }
  const State<T>* operator->() const { return &state_; }

 private:
  Scratch<T> numbers_;
  State<T> state_;
};

/// Queries of one head, and where o and D of each go.
template <class T>
struct HeadQueries {
  Block<const T> q;
  Block<T> o;
  T* denominators;

  HeadQueries from_row(std::int64_t row) const { return {q.from_row(row), o.from_row(row), denominators + row}; }
};

template <class T>
struct HeadKeys {
  Block<const T> k, v;

  HeadKeys from_row(std::int64_t row) const { return {k.from_row(row), v.from_row(row)}; }
};

// ---- Forward ----

/// Adds the keys to the state.
template <class T>
void add_keys(const HeadMap<T>& map, std::int64_t rows, const HeadKeys<T>& keys, const State<T>& state) {
  MappedRows<T> mapped(map, std::min(rows, row_block));
  for (std::int64_t begin = 0; begin < rows; begin += row_block) {
    const std::int64_t count = std::min(row_block, rows - begin);
    const HeadKeys<T> here = keys.from_row(begin);
    state.add(count, mapped.forward(count, here.k), here.v, nullptr);
  }
}

/// o and D of queries that all see the same state.
template <class T>
void read_all(const HeadMap<T>& map, std::int64_t rows, const HeadQueries<T>& queries, const State<T>& state, T epsilon,
              std::int64_t head_dim) {
  MappedRows<T> mapped(map, std::min(rows, row_block));
  for (std::int64_t begin = 0; begin < rows; begin += row_block) {
    const std::int64_t count = std::min(row_block, rows - begin);
    const HeadQueries<T> here = queries.from_row(begin);
    state.read(count, mapped.forward(count, here.q), epsilon, here.o, here.denominators);
    active_kernels<T>().divide_rows(here.o.first, here.o.stride, here.denominators, here.o.first, here.o.stride, count,
                                    head_dim);
  }
}

/// Features and values of rows that follow each other.
template <class T>
struct CausalRows {
  Block<const T> phi_q, phi_k, v;
};

/// o and D of rows whose queries see what `state` has summed, and their own keys up to their own row: chunk by chunk
/// N' = Φ_q S' + tril(Φ_q Φ_kᵀ) V', then S' += Φ_kᵀ V'.
template <class T>
void read_causal(std::int64_t rows, std::int64_t features, std::int64_t head_dim, const CausalRows<T>& inputs,
                 const State<T>& state, T epsilon, Block<T> o, T* denominators) {
  const Kernels<T>& kernels = active_kernels<T>();
  const std::int64_t longest = std::min(chunk, rows);
  const Scratch<T> scores(longest * longest);
  for (std::int64_t begin = 0; begin < rows; begin += chunk, denominators += chunk) {
    const std::int64_t count = std::min(chunk, rows - begin);
    const Block<const T> q = inputs.phi_q.from_row(begin), k = inputs.phi_k.from_row(begin),
                         v = inputs.v.from_row(begin);
    const Block<T> n = o.from_row(begin), within{scores, count};
    state.read(count, q, epsilon, n, denominators);
    multiply_transposed_b<T>(count, count, features, q, k, within);
    kernels.keep_past(scores, denominators, count);
    multiply<T>(count, head_dim, count, within, v, n, true);
    kernels.divide_rows(n.first, n.stride, denominators, n.first, n.stride, count, head_dim);
    state.add(count, k, v, nullptr);
  }
}

/// The causal form of a sequence. Copies the state before each block of `causal_block` rows to `states`, `state_stride`
/// numbers apart, unless null.
template <class T>
void forward_causal(const HeadMap<T>& map, std::int64_t rows, std::int64_t features, std::int64_t head_dim,
                    const HeadQueries<T>& queries, const HeadKeys<T>& keys, T epsilon, T* states,
                    std::int64_t state_stride) {
  MappedRows<T> mapped_queries(map, std::min(rows, causal_block)), mapped_keys(map, std::min(rows, causal_block));
  const OwnState<T> state(features, head_dim);
  for (std::int64_t begin = 0; begin < rows; begin += causal_block) {
    const std::int64_t count = std::min(causal_block, rows - begin);
    const HeadQueries<T> here = queries.from_row(begin);
    const HeadKeys<T> keys_here = keys.from_row(begin);
    if (states) {
      std::copy_n(state->matrix().first, State<T>::size(features, head_dim), states);
      states += state_stride;
    }
    const CausalRows<T> inputs{mapped_queries.forward(count, here.q), mapped_keys.forward(count, keys_here.k),
                               keys_here.v};
    read_causal(count, features, head_dim, inputs, *state, epsilon, here.o, here.denominators);
  }
}

// ---- Backward ----

/// What the backward pass fills for the queries or the keys of one head; null where not wanted.
template <class T>
struct HeadGradients {
  Block<T> dx, dv;  // of q or k, and of v
  MapGradients<T> map;

  bool of_features() const { return dx.first || !map.empty(); }
  HeadGradients from_row(std::int64_t row) const {
    return {dx.first ? dx.from_row(row) : dx, dv.first ? dv.from_row(row) : dv, map};
  }
};

/// Queries of one head, what the forward pass gave for them, and the cotangent g of o.
template <class T>
struct HeadAnswers {
  Block<const T> q, o, g;
  const T* denominators;

  HeadAnswers from_row(std::int64_t row) const {
    return {q.from_row(row), o.from_row(row), g.from_row(row), denominators + row};
  }
};

/// The cotangents of n and D for a block of queries: dn = g/D, dD = −(g·o)/D.
template <class T>
class Upstream {
 public:
  Upstream(std::int64_t most_rows, std::int64_t head_dim)
      : head_dim_(head_dim), dn_(most_rows * head_dim), dD_(most_rows) {}

  void compute(std::int64_t rows, const HeadAnswers<T>& answers) const {
    const Kernels<T>& kernels = active_kernels<T>();
    const Block<const T> g = answers.g, o = answers.o;
    const T* const denominators = answers.denominators;
    kernels.divide_rows(g.first, g.stride, denominators, dn_, head_dim_, rows, head_dim_);
    kernels.row_dots(g.first, g.stride, o.first, o.stride, T(0), dD_, rows, head_dim_);
    for (std::int64_t i = 0; i < rows; ++i) dD_[i] = -dD_[i] / denominators[i];
  }
  Block<const T> dn(std::int64_t row = 0) const { return Block<const T>{dn_, head_dim_}.from_row(row); }
  const T* dD(std::int64_t row = 0) const { return dD_ + row; }

 private:
  std::int64_t head_dim_;
  Scratch<T> dn_, dD_;
};

/// Queries that all see `state`: their gradients, and their part of R and r, unless null.
template <class T>
void backward_queries(const HeadMap<T>& map, std::int64_t rows, std::int64_t head_dim, const HeadAnswers<T>& answers,
                      const State<T>& state, const HeadGradients<T>& d, const State<T>* seen_by) {
  const std::int64_t most = std::min(rows, row_block);
  MappedRows<T> mapped(map, most);
  const Upstream<T> upstream(most, head_dim);
  for (std::int64_t begin = 0; begin < rows; begin += row_block) {
    const std::int64_t count = std::min(row_block, rows - begin);
    const HeadAnswers<T> here = answers.from_row(begin);
    const HeadGradients<T> d_here = d.from_row(begin);
    upstream.compute(count, here);
    const Block<const T> phi = mapped.forward(count, here.q);
    if (seen_by) seen_by->add(count, phi, upstream.dn(), upstream.dD());
    if (!d.of_features()) continue;
    state.pull_back(count, upstream.dn(), upstream.dD(), mapped.gradient(d_here.dx));
    mapped.backward(count, d.map, d_here.dx);
  }
}

/// dφ(k) = v·Rᵀ + r and dv = φ(k)·R for keys with features φ(k), from the queries summed in `seen_by`.
template <class T>
void pull_back_keys(std::int64_t rows, std::int64_t features, std::int64_t head_dim, Block<const T> phi,
                    Block<const T> v, const State<T>& seen_by, Block<T> dphi, Block<T> dv) {
  if (dphi.first) seen_by.pull_back(rows, v, nullptr, dphi);
  if (dv.first) multiply<T>(rows, head_dim, features, phi, seen_by.matrix(), dv);
}

/// Keys that the same queries see, summed in `seen_by`.
template <class T>
void backward_keys(const HeadMap<T>& map, std::int64_t rows, std::int64_t features, std::int64_t head_dim,
                   const HeadKeys<T>& keys, const State<T>& seen_by, const HeadGradients<T>& d) {
  MappedRows<T> mapped(map, std::min(rows, row_block));
  for (std::int64_t begin = 0; begin < rows; begin += row_block) {
    const std::int64_t count = std::min(row_block, rows - begin);
    const HeadKeys<T> here = keys.from_row(begin);
    const HeadGradients<T> d_here = d.from_row(begin);
    const Block<const T> phi = mapped.forward(count, here.k);
    const Block<T> dphi = d.of_features() ? mapped.gradient(d_here.dx) : Block<T>{nullptr, 0};
    pull_back_keys<T>(count, features, head_dim, phi, here.v, seen_by, dphi, d_here.dv);
    if (d.of_features()) mapped.backward(count, d.map, d_here.dx);
  }
}

/// Adds the gradients that pass between queries and keys of one chunk: with A = tril(Φ_q Φ_kᵀ) and
/// dA = tril(dn Vᵀ + dD), dΦ_q += dA Φ_k, dΦ_k += dAᵀ Φ_q, dV += Aᵀ dn. Null targets are not computed.
template <class T>
void backward_within_chunk(std::int64_t rows, std::int64_t features, std::int64_t head_dim, Block<const T> phi_q,
                           Block<const T> phi_k, Block<const T> v, Block<const T> dn, const T* dD, Block<T> scores,
                           Block<T> dphi_q, Block<T> dphi_k, Block<T> dv) {
  if (dphi_q.first || dphi_k.first) {
    multiply_transposed_b<T>(rows, rows, head_dim, dn, v, scores);
    active_kernels<T>().keep_past_backward(scores.first, dD, rows);
    if (dphi_q.first) multiply<T>(rows, features, rows, scores, phi_k, dphi_q, true);
    if (dphi_k.first) multiply_transposed_a<T>(rows, features, rows, scores, phi_q, dphi_k, true);
  }
  if (dv.first) {
    multiply_transposed_b<T>(rows, rows, features, phi_q, phi_k, scores);
    active_kernels<T>().keep_past(scores.first, nullptr, rows);
    multiply_transposed_a<T>(rows, head_dim, rows, scores, dn, dv, true);
  }
}

/// The backward pass of a sequence's causal form, block by block from the last to the first. Within a block the states
/// before its chunks are summed again from the one that the forward pass kept.
template <class T>
class CausalBackward {
 public:
  CausalBackward(const HeadMap<T>& map, std::int64_t rows, std::int64_t features, std::int64_t head_dim)
      : rows_(rows),
        features_(features),
        head_dim_(head_dim),
        state_size_(State<T>::size(features, head_dim)),
        queries_(map, std::min(rows, causal_block)),
        keys_(map, std::min(rows, causal_block)),
        upstream_(std::min(rows, causal_block), head_dim),
        scores_(chunk * chunk),
        states_(causal_block / chunk * state_size_),
        seen_by_(features, head_dim) {}

  void run(const HeadAnswers<T>& answers, const HeadKeys<T>& keys, const T* states, std::int64_t state_stride,
           const HeadGradients<T>& dq, const HeadGradients<T>& dk) {
    for (std::int64_t index = (rows_ - 1) / causal_block; index >= 0; --index) {
      const std::int64_t row = index * causal_block;
      block(std::min(causal_block, rows_ - row), answers.from_row(row), keys.from_row(row),
            states + index * state_stride, dq.from_row(row), dk.from_row(row));
    }
  }

 private:
  State<T> state_before(std::int64_t index) const { return {features_, head_dim_, states_ + index * state_size_}; }

  void sum_states(std::int64_t rows, Block<const T> phi_k, Block<const T> v, const T* first) const {
    std::copy_n(first, state_size_, static_cast<T*>(states_));
    for (std::int64_t index = 0; (index + 1) * chunk < rows; ++index) {
      const State<T> next = state_before(index + 1);
      std::copy_n(state_before(index).matrix().first, state_size_, next.matrix().first);
      next.add(chunk, phi_k.from_row(index * chunk), v.from_row(index * chunk), nullptr);
    }
  }

  void block(std::int64_t rows, const HeadAnswers<T>& answers, const HeadKeys<T>& keys, const T* state,
             const HeadGradients<T>& dq, const HeadGradients<T>& dk) {
    constexpr Block<T> nothing{nullptr, 0};
    const Block<const T> phi_q = queries_.forward(rows, answers.q), phi_k = keys_.forward(rows, keys.k);
    const Block<T> dphi_q = dq.of_features() ? queries_.gradient(dq.dx) : nothing;
    const Block<T> dphi_k = dk.of_features() ? keys_.gradient(dk.dx) : nothing;
    const auto part = [](Block<T> x, std::int64_t row) { return x.first ? x.from_row(row) : x; };
    upstream_.compute(rows, answers);
    if (dphi_q.first) sum_states(rows, phi_k, keys.v, state);
    for (std::int64_t index = (rows - 1) / chunk; index >= 0; --index) {
      const std::int64_t begin = index * chunk, count = std::min(chunk, rows - begin);
      const Block<const T> q = phi_q.from_row(begin), k = phi_k.from_row(begin), v = keys.v.from_row(begin);
      const Block<const T> dn = upstream_.dn(begin);
      const T* const dD = upstream_.dD(begin);
      const Block<T> to_q = part(dphi_q, begin), to_k = part(dphi_k, begin), to_v = part(dk.dv, begin);
      if (to_q.first) state_before(index).pull_back(count, dn, dD, to_q);
      pull_back_keys<T>(count, features_, head_dim_, k, v, *seen_by_, to_k, to_v);
      backward_within_chunk<T>(count, features_, head_dim_, q, k, v, dn, dD, {scores_, count}, to_q, to_k, to_v);
      if (to_k.first || to_v.first) seen_by_->add(count, q, dn, dD);
    }
    if (dphi_q.first) queries_.backward(rows, dq.map, dq.dx);
    if (dphi_k.first) keys_.backward(rows, dk.map, dk.dx);
  }

  std::int64_t rows_, features_, head_dim_, state_size_;
  MappedRows<T> queries_, keys_;
  Upstream<T> upstream_;
  Scratch<T> scores_, states_;
  OwnState<T> seen_by_;
};

}  // namespace lintel::kernel_attention_detail
