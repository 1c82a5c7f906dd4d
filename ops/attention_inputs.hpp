// What the attentions have in common: the checks of their inputs, and their definitions sequence by sequence.
#pragma once

#include <algorithm>
#include <functional>

#include <lintel/core/tensor.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel {

/// Sizes of queries (query_rows, heads, features), keys (key_rows, heads, features) and values (key_rows, heads,
/// head_dim), leading axes flattened.
struct AttentionSizes {
  std::int64_t query_rows, key_rows, heads, features, head_dim;

  /// One head of x (rows, heads, size), from `row` on; null stays null.
  template <class T>
  Block<T> head_of(T* x, std::int64_t row, std::int64_t head, std::int64_t size) const {
    return {x ? x + (row * heads + head) * size : nullptr, heads * size};
  }
};

/// Throws an `Error` that names `op` unless q (…, H, m), k (…, H, m) and v (…, H, d) fit each other and the sequences,
/// of which there are as many of queries as of keys, of equal lengths when `causal`.
AttentionSizes check_attention(const char* op, const Tensor& q, const Tensor& k, const Tensor& v,
                               const Sequences& queries, const Sequences& keys, bool causal);

/// Sets the rows of x (rows, row_size) that belong to no sequence to 0.
template <class T>
void clear_outside(const Sequences& sequences, T* x, std::int64_t row_size) {
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    std::fill(x + next * row_size, x + sequences.begin(i) * row_size, T(0));
    next = sequences.end(i);
  }
  std::fill(x + next * row_size, x + sequences.rows() * row_size, T(0));
}

/// Attention within one sequence: q (H, n, m), k (H, l, m), v (H, l, d) → (H, n, d).
using AttentionOfSequence = std::function<Tensor(const Tensor& q, const Tensor& k, const Tensor& v)>;

/// The definition of an attention in primitives: `attend` for one sequence after the other, 0 in rows between them.
/// The result has the shape of q, with the last axis of v.
Tensor attend_by_sequence(const AttentionSizes& sizes, const Tensor& q, const Tensor& k, const Tensor& v,
                          const Sequences& queries, const Sequences& keys, const AttentionOfSequence& attend);

/// (n, n) with `visible` where the column is at most the row, and `hidden` elsewhere.
Tensor causal_mask(std::int64_t n, double visible, double hidden, DType dtype);

}  // namespace lintel
