#include <lintel/autograd/tape.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/rms_norm.hpp>
#include <lintel/ops/row_blocks.hpp>

namespace lintel {
namespace rms_norm_detail {

constexpr double cost = 6;  // operations per element

void check_inputs(const Tensor& x, const Tensor& weight, double epsilon) {
  const Rows rows = rows_of("rms_norm", x, "x");
  check_parameter("rms_norm", weight, x.dtype(), rows.columns, "weight");
  if (!(epsilon > 0)) fail("rms_norm: epsilon is ", epsilon, ", a positive number wanted");
}

/// Cotangents of x and weight, in one pass over g and x; saved are x, weight and inverse.
template <class T>
std::vector<Tensor> gradients_of(const Backward& b) {
  const Tensor &g = b.cotangent(), &x = b.saved(0), &weight = b.saved(1), &inverse = b.saved(2);
  const Rows rows = rows_of("rms_norm", x, "x");
  const T *upstream = g.data<T>(), *input = x.data<T>(), *w = weight.data<T>(), *s = inverse.data<T>();
  const Tensor dx = b.wants(0) ? empty(x.shape(), x.dtype()) : Tensor();
  T* result = dx.defined() ? write<T>(dx, "rms_norm") : nullptr;
  const auto body = [&](std::int64_t begin, std::int64_t end, T* dweight) {
    const std::int64_t first = begin * rows.columns;
    active_kernels<T>().rms_norm_backward(upstream + first, input + first, w, s + begin,
                                          result ? result + first : nullptr, dweight, end - begin, rows.columns);
  };
  if (b.wants(1)) {
    const double row_cost = cost * static_cast<double>(rows.columns);
    return {dx, sum_of_row_blocks<T>("rms_norm", rows.count, rows.columns, row_cost, body)};
  }
  for_row_blocks(rows, cost, [&](std::int64_t begin, std::int64_t end) { body(begin, end, nullptr); });
  return {dx, Tensor()};
}

std::vector<Tensor> rms_norm_vjp(const Backward& b) {
  return with_float_type("rms_norm", b.saved(0).dtype(), [&]<class T>() { return gradients_of<T>(b); });
}

Tensor definition(const Tensor& x, const Tensor& weight, double epsilon) {
  return x * rsqrt(mean(square(x), {-1}, true) + epsilon) * weight;
}

}  // namespace rms_norm_detail

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  using namespace rms_norm_detail;
  check_inputs(x, weight, epsilon);
  const Rows rows = rows_of("rms_norm", x, "x");
  Tensor y = empty(x.shape(), x.dtype());
  Tensor inverse = empty({rows.count}, x.dtype());
  with_float_type("rms_norm", x.dtype(), [&]<class T>() {
    const T *input = x.data<T>(), *w = weight.data<T>();
    T *output = write<T>(y, "rms_norm"), *s = write<T>(inverse, "rms_norm");
    for_row_blocks(rows, cost, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t first = begin * rows.columns;
      active_kernels<T>().rms_norm_forward(input + first, w, output + first, s + begin, end - begin, rows.columns,
                                           static_cast<T>(epsilon));
    });
  });
  record({.name = "rms_norm",
          .inputs = {x, weight},
          .outputs = {y},
          .saved = {x, weight, inverse},
          .vjp = rms_norm_vjp,
          .definition = [epsilon](const std::vector<Tensor>& inputs) {
            return std::vector{definition(inputs[0], inputs[1], epsilon)};
          }});
  return y;
}

}  // namespace lintel
