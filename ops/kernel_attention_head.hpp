// Kernel attention of one head, serially: what the tasks of kernel_attention.cpp do.
//
// S = Σ φ(k_j) v_jᵀ and z = Σ φ(k_j) over the keys that a query sees; n = φ(q)ᵀS, D = φ(q)·z + epsilon, o = n/D.
// Where D is the root of the number of keys, dD is 0.
// Upstream g: dn = g/D, dD = −(g·o)/D; dφ(q) = S dn + z dD; with R = Σ φ(q_i) dn_iᵀ and r = Σ φ(q_i) dD_i over the
// queries that see a key: dφ(k) = R v + r, dv = Rᵀ φ(k). Features are computed block by block, in both passes.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <lintel/ops/feature_map_head.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel::kernel_attention_detail {

using feature_map_detail::GatheredRows;
using feature_map_detail::HeadMap;
using feature_map_detail::MapGradients;
using feature_map_detail::MapInput;
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

/// What D is.
struct Normaliser {
  KernelNormaliser kind;
  double epsilon;

  explicit Normaliser(const KernelAttentionOptions& options) : kind(options.normaliser), epsilon(options.epsilon) {}
  bool is_sum() const { return kind == KernelNormaliser::sum; }

  /// Where D is no sum: writes that of a query that sees `keys` keys, and of those behind it, which see `more` keys
  /// more each.
  template <class T>
  void replace(T* denominators, std::int64_t rows, std::int64_t keys, std::int64_t more) const {
    if (is_sum()) return;
    for (std::int64_t i = 0; i < rows; ++i, keys += more) {
      denominators[i] = static_cast<T>(std::sqrt(static_cast<double>(std::max<std::int64_t>(1, keys))));
    }
  }
};

/// A state of its own.
template <class T>
class OwnState {
 public:
  OwnState(std::int64_t features, std::int64_t head_dim)
      : size_(State<T>::size(features, head_dim)), numbers_(size_), state_(features, head_dim, numbers_) {}
  void clear() const { std::fill_n(static_cast<T*>(numbers_), size_, T(0)); }
  const State<T>& operator*() const { return state_; }
  const State<T>* operator->() const { return &state_; }

 private:
  std::int64_t size_;
  Scratch<T> numbers_;
  State<T> state_;
};

/// Queries of one head, and where o and D of each go.
template <class T>
struct HeadQueries {
  MapInput<T> q;
  Block<T> o;
  T* denominators;
};

template <class T>
struct HeadKeys {
  MapInput<T> k;
  Block<const T> v;
};

// ---- Forward ----

/// Features and values of rows that follow each other.
template <class T>
struct CausalRows {
  Block<const T> phi_q, phi_k, v;

  CausalRows from_row(std::int64_t row) const { return {phi_q.from_row(row), phi_k.from_row(row), v.from_row(row)}; }
};

/// o and D of rows whose queries see what `state` has summed of `before` keys, and their own keys up to their own row:
/// chunk by chunk N' = Φ_q S' + tril(Φ_q Φ_kᵀ) V', then S' += Φ_kᵀ V'.
template <class T>
void read_causal(std::int64_t rows, std::int64_t features, std::int64_t head_dim, const CausalRows<T>& inputs,
                 const State<T>& state, std::int64_t before, const Normaliser& normaliser, Block<T> o,
                 T* denominators) {
  const Kernels<T>& kernels = active_kernels<T>();
  const std::int64_t longest = std::min(chunk, rows);
  const Scratch<T> scores(longest * longest), found(longest * head_dim);
  const Block<T> n{found, head_dim};
  for (std::int64_t begin = 0; begin < rows; begin += chunk, denominators += chunk) {
    const std::int64_t count = std::min(chunk, rows - begin);
    const auto [q, k, v] = inputs.from_row(begin);
    const Block<T> answer = o.from_row(begin), within{scores, count};
    state.read(count, q, static_cast<T>(normaliser.epsilon), n, denominators);
    multiply_transposed_b<T>(count, count, features, q, k, within);
    kernels.keep_past(scores, denominators, count);
    normaliser.replace(denominators, count, before + begin + 1, 1);
    multiply<T>(count, head_dim, count, within, v, n, true);
    kernels.divide_rows(n.first, n.stride, denominators, answer.first, answer.stride, count, head_dim);
    state.add(count, k, v, nullptr);
  }
}

/// Rows of a block that belong to one sequence, how many rows that has `before` them, and the state before them: the
/// forward pass keeps it for the backward pass, unless null.
template <class T>
struct CausalPart {
  std::int64_t begin, rows, before;
  T* state;
  bool begins_sequence, ends_sequence;
};

/// The causal form, block by block from the first row to the last.
template <class T>
class CausalForward {
 public:
  CausalForward(const HeadMap<T>& map, const HeadMap<T>& key_map, std::int64_t most_rows, std::int64_t features,
                std::int64_t head_dim)
      : features_(features),
        head_dim_(head_dim),
        queries_(map, most_rows, false),
        keys_(key_map, most_rows, false),
        values_(most_rows, head_dim),
        state_(features, head_dim) {}

  /// Begins in the middle of a sequence, of which `state` has summed what comes before.
  void start_from(const T* state) const {
    std::copy_n(state, State<T>::size(features_, head_dim_), state_->matrix().first);
  }

  void block(std::int64_t rows, const HeadQueries<T>& queries, const HeadKeys<T>& keys, const Normaliser& normaliser,
             const std::vector<CausalPart<T>>& parts) {
    const CausalRows<T> inputs{queries_.forward(rows, queries.q), keys_.forward(rows, keys.k),
                               values_.gather(rows, keys.v)};
    for (const CausalPart<T>& part : parts) {
      if (part.begins_sequence) state_.clear();
      if (part.state) std::copy_n(state_->matrix().first, State<T>::size(features_, head_dim_), part.state);
      read_causal(part.rows, features_, head_dim_, inputs.from_row(part.begin), *state_, part.before, normaliser,
                  queries.o.from_row(part.begin), queries.denominators + part.begin);
    }
  }

 private:
  std::int64_t features_, head_dim_;
  MappedRows<T> queries_, keys_;
  GatheredRows<T> values_;
  OwnState<T> state_;
};

// ---- Backward ----

/// What the backward pass fills for the queries or the keys of one head; null where not wanted.
template <class T>
struct HeadGradients {
  Block<T> dx, dv;  // of q or k, and of v
  MapGradients<T> map;

  bool of_features() const { return dx.first || !map.empty(); }
};

/// Queries of one head, what the forward pass gave for them, and the cotangent g of o.
template <class T>
struct HeadAnswers {
  MapInput<T> q;
  Block<const T> o, g;
  const T* denominators;
};

/// The cotangents of n and D for a block of queries: dn = g/D, dD = −(g·o)/D, or 0 where D is no sum.
template <class T>
class Upstream {
 public:
  Upstream(std::int64_t most_rows, std::int64_t head_dim, const Normaliser& normaliser)
      : head_dim_(head_dim), normaliser_(normaliser), dn_(most_rows * head_dim), dD_(most_rows) {}

  void compute(std::int64_t rows, const HeadAnswers<T>& answers) const {
    const Kernels<T>& kernels = active_kernels<T>();
    const Block<const T> g = answers.g, o = answers.o;
    const T* const denominators = answers.denominators;
    kernels.divide_rows(g.first, g.stride, denominators, dn_, head_dim_, rows, head_dim_);
    if (!normaliser_.is_sum()) {
      std::fill_n(static_cast<T*>(dD_), rows, T(0));
      return;
    }
    kernels.row_dots(g.first, g.stride, o.first, o.stride, T(0), dD_, rows, head_dim_);
    for (std::int64_t i = 0; i < rows; ++i) dD_[i] = -dD_[i] / denominators[i];
  }
  Block<const T> dn(std::int64_t row = 0) const { return Block<const T>{dn_, head_dim_}.from_row(row); }
  const T* dD(std::int64_t row = 0) const { return dD_ + row; }

 private:
  std::int64_t head_dim_;
  Normaliser normaliser_;
  Scratch<T> dn_, dD_;
};

/// dφ(k) = v·Rᵀ + r and dv = φ(k)·R for keys with features φ(k), from the queries summed in `seen_by`.
template <class T>
void pull_back_keys(std::int64_t rows, std::int64_t features, std::int64_t head_dim, Block<const T> phi,
                    Block<const T> v, const State<T>& seen_by, Block<T> dphi, Block<T> dv) {
  if (dphi.first) seen_by.pull_back(rows, v, nullptr, dphi);
  if (dv.first) multiply<T>(rows, head_dim, features, phi, seen_by.matrix(), dv);
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

/// The backward pass of the causal form, block by block from the last to the first. Within a part of a block the states
/// before its chunks are summed again from the one that the forward pass kept.
template <class T>
class CausalBackward {
 public:
  CausalBackward(const HeadMap<T>& map, const HeadMap<T>& key_map, std::int64_t most_rows, std::int64_t features,
                 std::int64_t head_dim, const Normaliser& normaliser)
      : features_(features),
        head_dim_(head_dim),
        state_size_(State<T>::size(features, head_dim)),
        queries_(map, most_rows, true),
        keys_(key_map, most_rows, true),
        values_(most_rows, head_dim),
        upstream_(most_rows, head_dim, normaliser),
        scores_(chunk * chunk),
        states_((most_rows + chunk - 1) / chunk * state_size_),
        seen_by_(features, head_dim) {}

  /// Begins in the middle of a sequence: `seen_by` has summed the queries that come behind.
  void start_from(const T* seen_by) const { std::copy_n(seen_by, state_size_, seen_by_->matrix().first); }

  void block(std::int64_t rows, const HeadAnswers<T>& answers, const HeadKeys<T>& keys, const HeadGradients<T>& dq,
             const HeadGradients<T>& dk, const std::vector<CausalPart<T>>& parts) {
    constexpr Block<T> nothing{nullptr, 0};
    const CausalRows<T> inputs{queries_.forward(rows, answers.q), keys_.forward(rows, keys.k),
                               values_.gather(rows, keys.v)};
    const Cotangents to{dq.of_features() ? queries_.gradient(dq.dx) : nothing,
                        dk.of_features() ? keys_.gradient(dk.dx) : nothing, dk.dv};
    upstream_.compute(rows, answers);
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (part->ends_sequence) seen_by_.clear();
      if (to.phi_q.first) sum_states(part->rows, inputs.from_row(part->begin), part->state);
      for (std::int64_t index = (part->rows - 1) / chunk; index >= 0; --index) {
        const std::int64_t begin = part->begin + index * chunk;
        backward_chunk(std::min(chunk, part->rows - index * chunk), inputs.from_row(begin), state_before(index),
                       upstream_.dn(begin), upstream_.dD(begin), to.from_row(begin));
      }
    }
    if (to.phi_q.first) queries_.backward(rows, dq.map, dq.dx);
    if (to.phi_k.first) keys_.backward(rows, dk.map, dk.dx);
  }

 private:
  /// Null where not wanted.
  struct Cotangents {
    Block<T> phi_q, phi_k, v;

    Cotangents from_row(std::int64_t row) const { return {phi_q.from_row(row), phi_k.from_row(row), v.from_row(row)}; }
  };

  State<T> state_before(std::int64_t index) const { return {features_, head_dim_, states_ + index * state_size_}; }

  void sum_states(std::int64_t rows, const CausalRows<T>& inputs, const T* first) const {
    std::copy_n(first, state_size_, static_cast<T*>(states_));
    for (std::int64_t index = 0; (index + 1) * chunk < rows; ++index) {
      const State<T> next = state_before(index + 1);
      const CausalRows<T> here = inputs.from_row(index * chunk);
      std::copy_n(state_before(index).matrix().first, state_size_, next.matrix().first);
      next.add(chunk, here.phi_k, here.v, nullptr);
    }
  }

  void backward_chunk(std::int64_t rows, const CausalRows<T>& x, const State<T>& before, Block<const T> dn, const T* dD,
                      const Cotangents& to) const {
    if (to.phi_q.first) before.pull_back(rows, dn, dD, to.phi_q);
    pull_back_keys<T>(rows, features_, head_dim_, x.phi_k, x.v, *seen_by_, to.phi_k, to.v);
    backward_within_chunk<T>(rows, features_, head_dim_, x.phi_q, x.phi_k, x.v, dn, dD, {scores_, rows}, to.phi_q,
                             to.phi_k, to.v);
    if (to.phi_k.first || to.v.first) seen_by_->add(rows, x.phi_q, dn, dD);
  }

  std::int64_t features_, head_dim_, state_size_;
  MappedRows<T> queries_, keys_;
  GatheredRows<T> values_;
  Upstream<T> upstream_;
  Scratch<T> scores_, states_;
  OwnState<T> seen_by_;
};

}  // namespace lintel::kernel_attention_detail
