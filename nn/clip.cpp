#include <algorithm>
#include <cmath>
#include <vector>

#include <lintel/nn/clip.hpp>
#include <lintel/nn/joined_tensors.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel::nn {

double global_norm(const Gradients& gradients) {
  JoinedTensors all;
  std::vector<Tensor> tensors;
  gradients.for_each([&](const Tensor& gradient) {
    all.add(gradient.size());
    tensors.push_back(gradient);
  });
  std::vector<double> block_sums(static_cast<std::size_t>(all.blocks()));
  all.for_each_block(1, [&](std::int64_t index) {
    double& sum = block_sums[static_cast<std::size_t>(index)];
    all.for_each_piece(index, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
      with_float_type("global_norm", tensors[i].dtype(), [&]<class T>() {
        sum += active_kernels<T>().sum_of_squares(tensors[i].data<T>() + begin, end - begin);
      });
    });
  });
  double total = 0;
  for (const double sum : block_sums) total += sum;
  return std::sqrt(total);
}

double clip_factor(double norm, double maximum) {
  if (!(maximum > 0)) fail("clip_factor: maximum is ", maximum, ", a positive number wanted");
  return std::isfinite(norm) ? std::min(1.0, maximum / (norm + 1e-6)) : 1;
}

double clip_global_norm(Gradients& gradients, double maximum) {
  if (!(maximum > 0)) fail("clip_global_norm: maximum is ", maximum, ", a positive number wanted");
  const double norm = global_norm(gradients), factor = clip_factor(norm, maximum);
  if (factor < 1) gradients.transform([=](const Tensor& gradient) { return gradient * factor; });
  return norm;
}

}  // namespace lintel::nn
