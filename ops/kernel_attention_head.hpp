// Kernel attention of one head of one sequence, serially: what a task of kernel_attention.cpp does.
//
// S = Σ φ(k_j) v_jᵀ and z = Σ φ(k_j) over the keys that a query sees; n = φ(q)ᵀS, D = φ(q)·z + epsilon, o = n/D.
// Upstream g: dn = g/D, dD = −(g·o)/D; dφ(q) = S dn + z dD; with R = Σ φ(q_i) dn_iᵀ and r = Σ φ(q_i) dD_i over the
// queries that see a key: dφ(k) = R v + r, dv = Rᵀ φ(k).
#pragma once

#include <algorithm>

#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel::kernel_attention_detail {

constexpr std::int64_t chunk = kernel_attention_chunk;
constexpr std::int64_t query_block = 256;  // queries of the non-causal form whose dn is at hand at once

/// The inputs of one head of one sequence.
template <class T>
struct Head {
  std::int64_t queries, keys, features, head_dim;
  Block<const T> phi_q, phi_k, v;
};

/// The running sums of one head: M = Σ a_i b_iᵀ (features, head_dim) and w = Σ weight_i a_i (features). With a = φ(k),
/// b = v and weights 1 they are S and z of the forward pass; with a = φ(q), b = dn and weights dD they are R and
/// r, which the causal backward pass sums from the last query to the first.
template <class T>
class State {
 public:
  State(std::int64_t features, std::int64_t head_dim)
      : features_(features), head_dim_(head_dim), matrix_(features * head_dim), vector_(features) {
    std::fill(static_cast<T*>(matrix_), matrix_ + features * head_dim, T(0));
    std::fill(static_cast<T*>(vector_), vector_ + features, T(0));
  }

  Block<T> matrix() const { return {matrix_, head_dim_}; }
  const T* vector() const { return vector_; }

  /// Null weights are ones.
  void add(std::int64_t rows, Block<const T> a, Block<const T> b, const T* weights) const {
    multiply_transposed_a<T>(features_, head_dim_, rows, a, b, matrix(), true);
    if (weights) {
      active_kernels<T>().add_weighted_column_sums(a.first, a.stride, weights, vector_, rows, features_);
    } else {
      active_kernels<T>().add_column_sums(a.first, a.stride, vector_, rows, features_);
    }
  }

  /// result = b·Mᵀ + weight wᵀ for each row: the cotangent of the features a that met this state. Null weights are
  /// ones.
  void pull_back(std::int64_t rows, Block<const T> b, const T* weights, Block<T> result) const {
    multiply_transposed_b<T>(rows, features_, head_dim_, b, matrix(), result);
    active_kernels<T>().add_outer(weights, vector_, result.first, result.stride, rows, features_);
  }

 private:
  std::int64_t features_, head_dim_;
  Scratch<T> matrix_, vector_;
};

// ---- Forward ----

/// What the forward pass fills: the outputs, and D for each query.
template <class T>
struct HeadOutput {
  Block<T> o;
  T* denominators;
};

/// n = φ(q)ᵀS into o, and D = φ(q)·z + epsilon.
template <class T>
void read_state(const Head<T>& h, const State<T>& state, T epsilon, std::int64_t begin, std::int64_t rows, Block<T> o,
                T* denominators) {
  const Block<const T> q = h.phi_q.from_row(begin);
  multiply<T>(rows, h.head_dim, h.features, q, state.matrix(), o);
  active_kernels<T>().row_dots(q.first, q.stride, state.vector(), 0, epsilon, denominators, rows, h.features);
}

template <class T>
void forward_all(const Head<T>& h, T epsilon, const HeadOutput<T>& output) {
  const Block<T> o = output.o;
  const State<T> state(h.features, h.head_dim);
  state.add(h.keys, h.phi_k, h.v, nullptr);
  read_state(h, state, epsilon, 0, h.queries, o, output.denominators);
  active_kernels<T>().divide_rows(o.first, o.stride, output.denominators, o.first, o.stride, h.queries, h.head_dim);
}

/// N' = Φ_q S'_before + tril(Φ_q Φ_kᵀ) V' chunk by chunk, then S' += Φ_kᵀ V'.
template <class T>
void forward_causal(const Head<T>& h, T epsilon, const HeadOutput<T>& output) {
  const Kernels<T>& kernels = active_kernels<T>();
  const State<T> state(h.features, h.head_dim);
  const Scratch<T> scores(chunk * chunk);
  for (std::int64_t begin = 0; begin < h.queries; begin += chunk) {
    const std::int64_t rows = std::min(chunk, h.queries - begin);
    const Block<const T> q = h.phi_q.from_row(begin), k = h.phi_k.from_row(begin), v = h.v.from_row(begin);
    const Block<T> n = output.o.from_row(begin), within{scores, rows};
    T* denominators = output.denominators + begin;
    read_state(h, state, epsilon, begin, rows, n, denominators);
    multiply_transposed_b<T>(rows, rows, h.features, q, k, within);
    kernels.keep_past(scores, denominators, rows);
    multiply<T>(rows, h.head_dim, rows, within, v, n, true);
    kernels.divide_rows(n.first, n.stride, denominators, n.first, n.stride, rows, h.head_dim);
    state.add(rows, k, v, nullptr);
  }
}

// ---- Backward ----

/// What the backward pass of one task reads beside the inputs, and what it fills; null where not wanted.
template <class T>
struct HeadGradients {
  Block<const T> g, o;
  const T* denominators;
  Block<T> dphi_q, dphi_k, dv;

  bool of_keys() const { return dphi_k.first || dv.first; }
};

/// The cotangents of n and D for a stretch of queries: dn = g/D, dD = −(g·o)/D.
template <class T>
void upstream(const Head<T>& h, const HeadGradients<T>& d, std::int64_t begin, std::int64_t rows, T* dn, T* dD) {
  const Kernels<T>& kernels = active_kernels<T>();
  const Block<const T> g = d.g.from_row(begin), o = d.o.from_row(begin);
  const T* denominators = d.denominators + begin;
  kernels.divide_rows(g.first, g.stride, denominators, dn, h.head_dim, rows, h.head_dim);
  kernels.row_dots(g.first, g.stride, o.first, o.stride, T(0), dD, rows, h.head_dim);
  for (std::int64_t i = 0; i < rows; ++i) dD[i] = -dD[i] / denominators[i];
}

/// dφ(k) = v·Rᵀ + r and dv = φ(k)·R for a stretch of keys, from the queries summed in `seen_by`.
template <class T>
void backward_keys(const Head<T>& h, const HeadGradients<T>& d, const State<T>& seen_by, std::int64_t begin,
                   std::int64_t rows) {
  if (d.dphi_k.first) seen_by.pull_back(rows, h.v.from_row(begin), nullptr, d.dphi_k.from_row(begin));
  if (d.dv.first) {
    multiply<T>(rows, h.head_dim, h.features, h.phi_k.from_row(begin), seen_by.matrix(), d.dv.from_row(begin));
  }
}

template <class T>
void backward_all(const Head<T>& h, const HeadGradients<T>& d) {
  const Scratch<T> dn(query_block * h.head_dim), dD(query_block);
  const State<T> state(h.features, h.head_dim), seen_by(h.features, h.head_dim);
  if (d.dphi_q.first) state.add(h.keys, h.phi_k, h.v, nullptr);
  for (std::int64_t begin = 0; begin < h.queries; begin += query_block) {
    const std::int64_t rows = std::min(query_block, h.queries - begin);
    const Block<const T> upstream_n{dn, h.head_dim};
    upstream<T>(h, d, begin, rows, dn, dD);
    if (d.dphi_q.first) state.pull_back(rows, upstream_n, dD, d.dphi_q.from_row(begin));
    if (d.of_keys()) seen_by.add(rows, h.phi_q.from_row(begin), upstream_n, dD);
  }
  backward_keys(h, d, seen_by, 0, h.keys);
}

/// The part of dφ(q) that comes through the state before each chunk.
template <class T>
void backward_causal_state(const Head<T>& h, const HeadGradients<T>& d) {
  const Scratch<T> dn(chunk * h.head_dim), dD(chunk);
  const State<T> state(h.features, h.head_dim);
  for (std::int64_t begin = 0; begin < h.queries; begin += chunk) {
    const std::int64_t rows = std::min(chunk, h.queries - begin);
    upstream<T>(h, d, begin, rows, dn, dD);
    state.pull_back(rows, {dn, h.head_dim}, dD, d.dphi_q.from_row(begin));
    state.add(rows, h.phi_k.from_row(begin), h.v.from_row(begin), nullptr);
  }
}

/// Adds the gradients that pass between queries and keys of one chunk: with A = tril(Φ_q Φ_kᵀ) and
/// dA = tril(dn Vᵀ + dD), dΦ_q += dA Φ_k, dΦ_k += dAᵀ Φ_q, dV += Aᵀ dn.
template <class T>
void backward_within_chunk(const Head<T>& h, const HeadGradients<T>& d, std::int64_t begin, std::int64_t rows,
                           Block<const T> dn, const T* dD, Block<T> scores) {
  const Block<const T> q = h.phi_q.from_row(begin), k = h.phi_k.from_row(begin), v = h.v.from_row(begin);
  if (d.dphi_q.first || d.dphi_k.first) {
    multiply_transposed_b<T>(rows, rows, h.head_dim, dn, v, scores);
    active_kernels<T>().keep_past_backward(scores.first, dD, rows);
    if (d.dphi_q.first) multiply<T>(rows, h.features, rows, scores, k, d.dphi_q.from_row(begin), true);
    if (d.dphi_k.first) multiply_transposed_a<T>(rows, h.features, rows, scores, q, d.dphi_k.from_row(begin), true);
  }
  if (d.dv.first) {
    multiply_transposed_b<T>(rows, rows, h.features, q, k, scores);
    active_kernels<T>().keep_past(scores.first, nullptr, rows);
    multiply_transposed_a<T>(rows, h.head_dim, rows, scores, dn, d.dv.from_row(begin), true);
  }
}

template <class T>
void backward_causal(const Head<T>& h, const HeadGradients<T>& d) {
  const Scratch<T> dn(chunk * h.head_dim), dD(chunk), scores(chunk * chunk);
  const State<T> seen_by(h.features, h.head_dim);
  if (d.dphi_q.first) backward_causal_state(h, d);
  const std::int64_t chunks = (h.queries + chunk - 1) / chunk;
  for (std::int64_t begin = (chunks - 1) * chunk; begin >= 0; begin -= chunk) {
    const std::int64_t rows = std::min(chunk, h.queries - begin);
    const Block<const T> upstream_n{dn, h.head_dim};
    upstream<T>(h, d, begin, rows, dn, dD);
    backward_keys(h, d, seen_by, begin, rows);
    backward_within_chunk<T>(h, d, begin, rows, upstream_n, dD, {scores, rows});
    if (d.of_keys()) seen_by.add(rows, h.phi_q.from_row(begin), upstream_n, dD);
  }
}

}  // namespace lintel::kernel_attention_detail
