#include <algorithm>

#include <lintel/autograd/tape.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/gemm.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {
namespace matmul_detail {

/// The sizes of a product, and what is repeated.
struct Plan {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t batch = 1;
  bool a_is_repeated = false, b_is_repeated = false;  // one matrix for the whole batch
  Shape result;
};

/// The size of a matrix's rows (`back` is 2) or columns (1), after the exchange that `transposed` asks for.
std::int64_t size_from_back(const Tensor& x, bool transposed, int back) {
  return x.size(transposed ? back - 3 : -back);
}

Plan plan_product(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  check_same_dtype("matmul", a, b);
  if (a.rank() < 2 || b.rank() < 2) fail("matmul: shapes ", a.shape(), " x ", b.shape(), ", at least two axes wanted");
  Plan plan;
  plan.m = size_from_back(a, options.transpose_a, 2);
  plan.k = size_from_back(a, options.transpose_a, 1);
  plan.n = size_from_back(b, options.transpose_b, 1);
  if (plan.k != size_from_back(b, options.transpose_b, 2)) {
    fail("matmul: inner sizes differ: ", a.shape(), options.transpose_a ? " transposed x " : " x ", b.shape(),
         options.transpose_b ? " transposed" : "");
  }
  const bool leading_axes_agree =
      a.rank() == b.rank() && std::equal(a.shape().begin(), a.shape().end() - 2, b.shape().begin());
  plan.a_is_repeated = a.rank() == 2 && b.rank() > 2;
  plan.b_is_repeated = b.rank() == 2 && a.rank() > 2;
  if (!leading_axes_agree && !plan.a_is_repeated && !plan.b_is_repeated) {
    fail("matmul: leading axes differ: ", a.shape(), " x ", b.shape());
  }
  plan.result = (plan.a_is_repeated ? b : a).shape().with(-2, plan.m).with(-1, plan.n);
  for (int axis = 0; axis < plan.result.rank() - 2; ++axis) plan.batch *= plan.result[axis];
  return plan;
}

template <class T>
void run_product(const Tensor& a, const Tensor& b, const MatmulOptions& options, const Plan& plan, const Tensor& c) {
  const GemmOperand<T> left{a.data<T>(), a.size(-1), options.transpose_a};
  const GemmOperand<T> right{b.data<T>(), b.size(-1), options.transpose_b};
  T* result = write<T>(c, "matmul");
  if (plan.b_is_repeated && !options.transpose_a) {  // the batch is one tall matrix
    return gemm<T>(plan.batch * plan.m, plan.n, plan.k, 1, left, right, result, plan.n);
  }
  if (plan.batch == 1) return gemm<T>(plan.m, plan.n, plan.k, 1, left, right, result, plan.n);
  const GemmBatch batch{.outer = plan.batch,
                        .a_outer = plan.a_is_repeated ? 0 : plan.m * plan.k,
                        .b_outer = plan.b_is_repeated ? 0 : plan.k * plan.n,
                        .c_outer = plan.m * plan.n};
  gemm_batched<T>(batch, plan.m, plan.n, plan.k, 1, left, right, result, plan.n);
}

/// All axes but the last as one.
Tensor as_tall_matrix(const Tensor& x) {
  std::int64_t rows = 1;
  for (int axis = 0; axis < x.rank() - 1; ++axis) rows *= x.size(axis);
  return reshape(x, Shape{rows, x.size(-1)});
}

/// `product` summed over its leading axes if one matrix stands for all of them.
Tensor for_operand(const Tensor& product, bool is_repeated) {
  if (!is_repeated) return product;
  std::vector<int> leading_axes;
  for (int axis = 0; axis < product.rank() - 2; ++axis) leading_axes.push_back(axis);
  return sum(product, leading_axes);
}

/// With C = A·B: dA = G·Bᵀ, or its transpose B·Gᵀ.
Tensor cotangent_of_a(const Tensor& g, const Tensor& b, const MatmulOptions& options, const Plan& plan) {
  const Tensor product =
      options.transpose_a ? matmul(b, g, {options.transpose_b, true}) : matmul(g, b, {false, !options.transpose_b});
  return for_operand(product, plan.a_is_repeated);
}

/// With C = A·B: dB = Aᵀ·G, or its transpose Gᵀ·A.
Tensor cotangent_of_b(const Tensor& g, const Tensor& a, const MatmulOptions& options, const Plan& plan) {
  if (plan.b_is_repeated && !options.transpose_a) {  // the sum over the batch is part of one product
    const Tensor tall_a = as_tall_matrix(a), tall_g = as_tall_matrix(g);
    return options.transpose_b ? matmul(tall_g, tall_a, {true, false}) : matmul(tall_a, tall_g, {true, false});
  }
  const Tensor product =
      options.transpose_b ? matmul(g, a, {true, options.transpose_a}) : matmul(a, g, {!options.transpose_a, false});
  return for_operand(product, plan.b_is_repeated);
}

}  // namespace matmul_detail

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  using namespace matmul_detail;
  const Plan plan = plan_product(a, b, options);
  Tensor c = empty(plan.result, a.dtype());
  with_float_type("matmul", a.dtype(), [&]<class T>() { run_product<T>(a, b, options, plan, c); });
  const bool a_tracked = is_recording({a}), b_tracked = is_recording({b});
  record({.name = "matmul",
          .inputs = {a, b},
          .outputs = {c},
          .saved = {b_tracked ? a : Tensor(), a_tracked ? b : Tensor()},
          .vjp =
              [options, plan](const Backward& backward) {
                const Tensor& g = backward.cotangent();
                std::vector<Tensor> cotangents(2);
                if (backward.wants(0)) cotangents[0] = cotangent_of_a(g, backward.saved(1), options, plan);
                if (backward.wants(1)) cotangents[1] = cotangent_of_b(g, backward.saved(0), options, plan);
                return cotangents;
              },
          .flops = product_flops(c.size(), 1, plan.k)});
  return c;
}

}  // namespace lintel
