#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/mse.hpp>
#include <lintel/ops/reduce.hpp>

namespace lintel {
namespace mse_detail {

constexpr std::int64_t block = 1 << 14;  // elements of one parallel task

void check_inputs(const Tensor& prediction, const Tensor& target) {
  check_same_dtype("mse", prediction, target);
  if (prediction.shape() != target.shape()) {
    fail("mse: prediction has shape ", prediction.shape(), ", target ", target.shape(), ", one shape wanted");
  }
}

template <class T>
double sum_of_squares(const Tensor& prediction, const Tensor& target) {
  const std::int64_t size = prediction.size();
  const T *p = prediction.data<T>(), *t = target.data<T>();
  std::vector<double> block_sums(static_cast<std::size_t>((size + block - 1) / block));
  parallel_blocks(size, block, 2, [&](std::int64_t begin, std::int64_t end) {
    const T sum = active_kernels<T>().squared_distance(p + begin, t + begin, end - begin);
    block_sums[static_cast<std::size_t>(begin / block)] = static_cast<double>(sum);
  });
  double total = 0;
  for (const double sum : block_sums) total += sum;
  return total;
}

/// factor·(a − b).
template <class T>
Tensor scaled_difference(const Tensor& a, const Tensor& b, double factor) {
  Tensor result = empty(a.shape(), a.dtype());
  const T *first = a.data<T>(), *second = b.data<T>();
  T* difference = write<T>(result, "mse");
  parallel_blocks(a.size(), block, 2, [&](std::int64_t begin, std::int64_t end) {
    active_kernels<T>().scaled_difference(first + begin, second + begin, static_cast<T>(factor), difference + begin,
                                          end - begin);
  });
  return result;
}

/// Cotangents of prediction and target, which are saved: ±2/n·(prediction − target).
std::vector<Tensor> mse_vjp(const Backward& b) {
  const Tensor &prediction = b.saved(0), &target = b.saved(1);
  return with_float_type("mse", prediction.dtype(), [&]<class T>() {
    const double factor = 2 * b.cotangent().item() / static_cast<double>(prediction.size());
    std::vector<Tensor> result(2);
    if (b.wants(0)) result[0] = scaled_difference<T>(prediction, target, factor);
    if (b.wants(1)) result[1] = scaled_difference<T>(target, prediction, factor);
    return result;
  });
}

Tensor definition(const Tensor& prediction, const Tensor& target) { return mean(square(prediction - target)); }

}  // namespace mse_detail

Tensor mse(const Tensor& prediction, const Tensor& target) {
  using namespace mse_detail;
  check_inputs(prediction, target);
  Tensor loss = empty({}, prediction.dtype());
  with_float_type("mse", prediction.dtype(), [&]<class T>() {
    const double total = sum_of_squares<T>(prediction, target);
    *write<T>(loss, "mse") = static_cast<T>(total / static_cast<double>(prediction.size()));
  });
  record(
      {.name = "mse",
       .inputs = {prediction, target},
       .outputs = {loss},
       .saved = {prediction, target},
       .vjp = mse_vjp,
       .definition = [](const std::vector<Tensor>& inputs) { return std::vector{definition(inputs[0], inputs[1])}; }});
  return loss;
}

}  // namespace lintel
