#include <lintel/autograd/tape.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/layer_norm.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/row_blocks.hpp>

namespace lintel {
namespace layer_norm_detail {

constexpr double cost = 8;  // operations per element

void check_inputs(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Rows rows = rows_of("layer_norm", x, "x");
  check_parameter("layer_norm", weight, x.dtype(), rows.columns, "weight");
  check_parameter("layer_norm", bias, x.dtype(), rows.columns, "bias");
  if (!(epsilon > 0)) fail("layer_norm: epsilon is ", epsilon, ", a positive number wanted");
}

/// Cotangents of x, weight and bias, in one pass over g and x; saved are x, weight, mean and inverse.
template <class T>
std::vector<Tensor> gradients_of(const Backward& b) {
  const Tensor &g = b.cotangent(), &x = b.saved(0), &weight = b.saved(1), &mean = b.saved(2), &inverse = b.saved(3);
  const Rows rows = rows_of("layer_norm", x, "x");
  const std::int64_t columns = rows.columns;
  const T *upstream = g.data<T>(), *input = x.data<T>(), *w = weight.data<T>(), *m = mean.data<T>(),
          *s = inverse.data<T>();
  const Tensor dx = b.wants(0) ? empty(x.shape(), x.dtype()) : Tensor();
  T* result = dx.defined() ? write<T>(dx, "layer_norm") : nullptr;
  const auto body = [&](std::int64_t begin, std::int64_t end, T* sums) {
    const std::int64_t first = begin * columns;
    active_kernels<T>().layer_norm_backward(upstream + first, input + first, w, m + begin, s + begin,
                                            result ? result + first : nullptr, sums, sums ? sums + columns : nullptr,
                                            end - begin, columns);
  };
  if (!b.wants(1) && !b.wants(2)) {
    for_row_blocks(rows, cost, [&](std::int64_t begin, std::int64_t end) { body(begin, end, nullptr); });
    return {dx, Tensor(), Tensor()};
  }
  const double row_cost = cost * static_cast<double>(columns);
  const Tensor both = sum_of_row_blocks<T>("layer_norm", rows.count, 2 * columns, row_cost, body);
  return {dx, b.wants(1) ? share_buffer(both, {columns}) : Tensor(),
          b.wants(2) ? share_buffer(both, {columns}, columns) : Tensor()};
}

std::vector<Tensor> layer_norm_vjp(const Backward& b) {
  return with_float_type("layer_norm", b.saved(0).dtype(), [&]<class T>() { return gradients_of<T>(b); });
}

Tensor definition(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Tensor centred = x - mean(x, {-1}, true);
  const Tensor variance = mean(square(centred), {-1}, true);
  return centred * rsqrt(variance + epsilon) * weight + bias;
}

}  // namespace layer_norm_detail

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  using namespace layer_norm_detail;
  check_inputs(x, weight, bias, epsilon);
  const Rows rows = rows_of("layer_norm", x, "x");
  Tensor y = empty(x.shape(), x.dtype());
  Tensor mean = empty({rows.count}, x.dtype()), inverse = empty({rows.count}, x.dtype());
  with_float_type("layer_norm", x.dtype(), [&]<class T>() {
    const T *input = x.data<T>(), *w = weight.data<T>(), *c = bias.data<T>();
    T *output = write<T>(y, "layer_norm"), *m = write<T>(mean, "layer_norm"), *s = write<T>(inverse, "layer_norm");
    for_row_blocks(rows, cost, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t first = begin * rows.columns;
      active_kernels<T>().layer_norm_forward(input + first, w, c, output + first, m + begin, s + begin, end - begin,
                                             rows.columns, static_cast<T>(epsilon));
    });
  });
  record({.name = "layer_norm",
          .inputs = {x, weight, bias},
          .outputs = {y},
          .saved = {x, weight, mean, inverse},
          .vjp = layer_norm_vjp,
          .definition = [epsilon](const std::vector<Tensor>& inputs) {
            return std::vector{definition(inputs[0], inputs[1], inputs[2], epsilon)};
          }});
  return y;
}

}  // namespace lintel
