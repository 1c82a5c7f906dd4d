#include <vector>

#include <lintel/ops/attention_inputs.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {
namespace attention_inputs_detail {

void check_rows(const char* op, const Tensor& x, const Sequences& sequences, const char* name) {
  const std::int64_t rows = leading_size(x.shape(), 2);
  if (rows != sequences.rows()) {
    fail(op, ": the ", name, " ", x.shape(), " have ", rows, " rows, their sequences ", sequences.rows());
  }
}

void check_sequences(const char* op, const Sequences& queries, const Sequences& keys, bool causal) {
  if (queries.count() != keys.count()) {
    fail(op, ": queries form ", queries.count(), " sequences, keys ", keys.count(), ", one number wanted");
  }
  for (std::int64_t i = 0; causal && i < queries.count(); ++i) {
    if (queries.length(i) == keys.length(i)) continue;
    fail(op, ": sequence ", i, " has ", queries.length(i), " queries and ", keys.length(i),
         " keys, causal attention wants equal lengths");
  }
}

/// Rows begin … end of x (rows, H, m), as (H, rows, m).
Tensor heads_first(const Tensor& x, std::int64_t begin, std::int64_t end) {
  return permute(slice(x, 0, begin, end), {1, 0, 2});
}

}  // namespace attention_inputs_detail

AttentionSizes check_attention(const char* op, const Tensor& q, const Tensor& k, const Tensor& v,
                               const Sequences& queries, const Sequences& keys, bool causal) {
  using namespace attention_inputs_detail;
  check_same_dtype(op, q, k);
  check_same_dtype(op, k, v);
  for (const Tensor* x : {&q, &k, &v}) {
    if (x->rank() < 3) fail(op, ": an input has shape ", x->shape(), ", (rows, heads, size) wanted");
  }
  if (q.size(-2) != k.size(-2) || q.size(-1) != k.size(-1)) {
    fail(op, ": queries ", q.shape(), " and keys ", k.shape(), " differ in the heads or the size of a head");
  }
  if (v.shape().with(-1, 0) != k.shape().with(-1, 0)) {
    fail(op, ": keys ", k.shape(), " and values ", v.shape(), " differ before the last axis");
  }
  check_rows(op, q, queries, "queries");
  check_rows(op, k, keys, "keys");
  check_sequences(op, queries, keys, causal);
  return {queries.rows(), keys.rows(), q.size(-2), q.size(-1), v.size(-1)};
}

Tensor attend_by_sequence(const AttentionSizes& sizes, const Tensor& q, const Tensor& k, const Tensor& v,
                          const Sequences& queries, const Sequences& keys, const AttentionOfSequence& attend) {
  using namespace attention_inputs_detail;
  const Tensor flat_q = reshape(q, {sizes.query_rows, sizes.heads, sizes.features});
  const Tensor flat_k = reshape(k, {sizes.key_rows, sizes.heads, sizes.features});
  const Tensor flat_v = reshape(v, {sizes.key_rows, sizes.heads, sizes.head_dim});
  auto gap = [&](std::int64_t rows) { return zeros({rows, sizes.heads, sizes.head_dim}, q.dtype()); };
  std::vector<Tensor> parts;
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < queries.count(); ++i) {
    parts.push_back(gap(queries.begin(i) - next));
    next = queries.end(i);
    if (queries.length(i) == 0) continue;
    if (keys.length(i) == 0) {
      parts.push_back(gap(queries.length(i)));
      continue;
    }
    const Tensor o =
        attend(heads_first(flat_q, queries.begin(i), queries.end(i)), heads_first(flat_k, keys.begin(i), keys.end(i)),
               heads_first(flat_v, keys.begin(i), keys.end(i)));
    parts.push_back(permute(o, {1, 0, 2}));
  }
  parts.push_back(gap(sizes.query_rows - next));
  return reshape(concat(parts, 0), q.shape().with(-1, sizes.head_dim));
}

Tensor causal_mask(std::int64_t n, double visible, double hidden, DType dtype) {
  return with_float_type("causal_mask", dtype, [&]<class T>() {
    Tensor mask = empty({n, n}, dtype);
    T* elements = write<T>(mask, "causal_mask");
    for (std::int64_t row = 0; row < n; ++row) {
      for (std::int64_t column = 0; column < n; ++column) {
        elements[row * n + column] = static_cast<T>(column <= row ? visible : hidden);
      }
    }
    return mask;
  });
}

}  // namespace lintel
