#include <algorithm>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/attention_inputs.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/kernel_attention_head.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/reduce.hpp>

namespace lintel {
namespace kernel_attention_detail {

/// Shapes and options of one call. A task is one head of one sequence.
struct Call {
  AttentionSizes sizes;
  Sequences queries, keys;
  KernelAttentionOptions options;

  std::int64_t tasks() const { return queries.count() * sizes.heads; }
  std::int64_t sequence_of(std::int64_t task) const { return task / sizes.heads; }

  /// Operations of a task, for sequences of average length.
  double cost() const {
    const double rows = static_cast<double>(sizes.query_rows + sizes.key_rows);
    const double state = static_cast<double>((sizes.features + 1) * (sizes.head_dim + 1));
    return rows * state / (8 * std::max(1.0, static_cast<double>(queries.count())));
  }

  /// The part of a task in x (rows, heads, size), rows being those of `sequences`; null stays null.
  template <class T>
  Block<T> part(const Sequences& sequences, std::int64_t task, T* x, std::int64_t size) const {
    return sizes.head_of(x, sequences.begin(sequence_of(task)), task % sizes.heads, size);
  }
  /// The queries of a task in x (heads, query_rows).
  template <class T>
  T* query_numbers(std::int64_t task, T* x) const {
    return x + task % sizes.heads * sizes.query_rows + queries.begin(sequence_of(task));
  }
};

/// Pointers to all rows and heads of the inputs.
template <class T>
struct Inputs {
  const T *phi_q, *phi_k, *v;

  Head<T> head(const Call& call, std::int64_t task) const {
    const AttentionSizes& sizes = call.sizes;
    const std::int64_t sequence = call.sequence_of(task);
    return {call.queries.length(sequence),
            call.keys.length(sequence),
            sizes.features,
            sizes.head_dim,
            call.part(call.queries, task, phi_q, sizes.features),
            call.part(call.keys, task, phi_k, sizes.features),
            call.part(call.keys, task, v, sizes.head_dim)};
  }
};

/// Of S' and its read-out, and for causal attention of the triangle of weights within each chunk.
double flops_of(const Call& call) {
  const AttentionSizes& s = call.sizes;
  double flops = product_flops(s.query_rows + s.key_rows, s.heads * s.features, s.head_dim + 1);
  for (std::int64_t i = 0; call.options.causal && i < call.queries.count(); ++i) {
    for (std::int64_t begin = 0; begin < call.queries.length(i); begin += chunk) {
      const std::int64_t rows = std::min(chunk, call.queries.length(i) - begin);
      flops += product_flops(rows * (rows + 1) / 2, s.heads, s.features + s.head_dim + 1);
    }
  }
  return flops;
}

template <class T>
void forward(const Call& call, const Inputs<T>& inputs, T* o, T* denominators) {
  const AttentionSizes& sizes = call.sizes;
  const auto epsilon = static_cast<T>(call.options.epsilon);
  clear_outside(call.queries, o, sizes.heads * sizes.head_dim);
  parallel_for(call.tasks(), call.cost(), [&](std::int64_t task) {
    const HeadOutput<T> output{call.part(call.queries, task, o, sizes.head_dim),
                               call.query_numbers(task, denominators)};
    if (call.options.causal) {
      forward_causal(inputs.head(call, task), epsilon, output);
    } else {
      forward_all(inputs.head(call, task), epsilon, output);
    }
  });
}

/// Pointers to all rows and heads; null gradients are not computed.
template <class T>
struct Cotangents {
  const T *g, *o, *denominators;
  T *dphi_q, *dphi_k, *dv;
};

template <class T>
void backward(const Call& call, const Inputs<T>& inputs, const Cotangents<T>& all) {
  const AttentionSizes& sizes = call.sizes;
  if (all.dphi_q) clear_outside(call.queries, all.dphi_q, sizes.heads * sizes.features);
  if (all.dphi_k) clear_outside(call.keys, all.dphi_k, sizes.heads * sizes.features);
  if (all.dv) clear_outside(call.keys, all.dv, sizes.heads * sizes.head_dim);
  parallel_for(call.tasks(), 3 * call.cost(), [&](std::int64_t task) {
    const HeadGradients<T> d{call.part(call.queries, task, all.g, sizes.head_dim),
                             call.part(call.queries, task, all.o, sizes.head_dim),
                             call.query_numbers(task, all.denominators),
                             call.part(call.queries, task, all.dphi_q, sizes.features),
                             call.part(call.keys, task, all.dphi_k, sizes.features),
                             call.part(call.keys, task, all.dv, sizes.head_dim)};
    if (call.options.causal) {
      backward_causal(inputs.head(call, task), d);
    } else {
      backward_all(inputs.head(call, task), d);
    }
  });
}

/// Cotangents of phi_q, phi_k and v, which are saved with the output and the denominators.
std::vector<Tensor> kernel_attention_vjp(const Call& call, const Backward& b) {
  std::vector<Tensor> result(3);
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (b.wants(i)) result[i] = empty(b.saved(i).shape(), b.saved(i).dtype());
  }
  with_float_type("kernel_attention", b.saved(0).dtype(), [&]<class T>() {
    auto target = [](const Tensor& x) { return x.defined() ? write<T>(x, "kernel_attention") : nullptr; };
    backward<T>(call, {b.saved(0).data<T>(), b.saved(1).data<T>(), b.saved(2).data<T>()},
                {b.cotangent().data<T>(), b.saved(3).data<T>(), b.saved(4).data<T>(), target(result[0]),
                 target(result[1]), target(result[2])});
  });
  return result;
}

/// The quadratic form, weights (H, n, l) = φ(q) φ(k)ᵀ.
Tensor definition(const Call& call, const Tensor& phi_q, const Tensor& phi_k, const Tensor& v) {
  auto attend = [&](const Tensor& q, const Tensor& k, const Tensor& value) {
    Tensor weights = matmul(q, k, {.transpose_b = true});
    if (call.options.causal) weights = weights * causal_mask(q.size(1), 1, 0, q.dtype());
    return matmul(weights, value) / (sum(weights, {-1}, true) + call.options.epsilon);
  };
  return attend_by_sequence(call.sizes, phi_q, phi_k, v, call.queries, call.keys, attend);
}

}  // namespace kernel_attention_detail

Tensor kernel_attention(const Tensor& phi_q, const Tensor& phi_k, const Tensor& v, const Sequences& queries,
                        const Sequences& keys, const KernelAttentionOptions& options) {
  using namespace kernel_attention_detail;
  const Call call{check_attention("kernel_attention", phi_q, phi_k, v, queries, keys, options.causal), queries, keys,
                  options};
  if (!(options.epsilon > 0)) fail("kernel_attention: epsilon is ", options.epsilon, ", a positive number wanted");
  Tensor o = empty(phi_q.shape().with(-1, call.sizes.head_dim), v.dtype());
  Tensor denominators = empty({call.sizes.heads, call.sizes.query_rows}, v.dtype());
  with_float_type("kernel_attention", v.dtype(), [&]<class T>() {
    forward<T>(call, {phi_q.data<T>(), phi_k.data<T>(), v.data<T>()}, write<T>(o, "kernel_attention"),
               write<T>(denominators, "kernel_attention"));
  });
  record({.name = "kernel_attention",
          .inputs = {phi_q, phi_k, v},
          .outputs = {o},
          .saved = {phi_q, phi_k, v, o, denominators},
          .vjp = [call](const Backward& b) { return kernel_attention_vjp(call, b); },
          .flops = flops_of(call),
          .definition =
              [call](const std::vector<Tensor>& inputs) {
                return std::vector{definition(call, inputs[0], inputs[1], inputs[2])};
              }});
  return o;
}

}  // namespace lintel
