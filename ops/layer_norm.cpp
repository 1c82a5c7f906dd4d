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

template <class T>
Tensor dx_of(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& inverse) {
  const Rows rows = rows_of("layer_norm", x, "x");
  Tensor dx = empty(x.shape(), x.dtype());
  const T *upstream = g.data<T>(), *input = x.data<T>(), *w = weight.data<T>(), *m = mean.data<T>(),
          *s = inverse.data<T>();
  T* result = write<T>(dx, "layer_norm");
  for_row_blocks(rows, cost, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * rows.columns;
    active_kernels<T>().layer_norm_backward(upstream + first, input + first, w, m + begin, s + begin, result + first,
                                            end - begin, rows.columns);
  });
  return dx;
}

/// {dweight, dbias}.
template <class T>
std::vector<Tensor> parameter_gradients(const Tensor& g, const Tensor& x, const Tensor& mean, const Tensor& inverse) {
  const Rows rows = rows_of("layer_norm", x, "x");
  const std::int64_t columns = rows.columns;
  const T *upstream = g.data<T>(), *input = x.data<T>(), *m = mean.data<T>(), *s = inverse.data<T>();
  const Tensor both = sum_of_row_blocks<T>("layer_norm", rows.count, 2 * columns, 4 * static_cast<double>(columns),
                                           [&](std::int64_t begin, std::int64_t end, T* sums) {
                                             const std::int64_t first = begin * columns;
                                             active_kernels<T>().layer_norm_backward_parameters(
                                                 upstream + first, input + first, m + begin, s + begin, sums,
                                                 sums + columns, end - begin, columns);
                                           });
  return {share_buffer(both, {columns}), share_buffer(both, {columns}, columns)};
}

/// Cotangents of x, weight and bias; saved are x, weight, mean and inverse.
std::vector<Tensor> layer_norm_vjp(const Backward& b) {
  const Tensor &g = b.cotangent(), &x = b.saved(0), &weight = b.saved(1), &mean = b.saved(2), &inverse = b.saved(3);
  return with_float_type("layer_norm", x.dtype(), [&]<class T>() {
    std::vector<Tensor> result(3);
    if (b.wants(0)) result[0] = dx_of<T>(g, x, weight, mean, inverse);
    if (!b.wants(1) && !b.wants(2)) return result;
    const std::vector<Tensor> parameters = parameter_gradients<T>(g, x, mean, inverse);
    if (b.wants(1)) result[1] = parameters[0];
    if (b.wants(2)) result[2] = parameters[1];
    return result;
  });
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
