#include <cmath>
#include <vector>

#include <lintel/core/parallel.hpp>
#include <lintel/nn/clip.hpp>
#include <lintel/ops/elementwise.hpp>

namespace lintel::nn {
namespace clip_detail {

constexpr std::int64_t block = 1 << 15;  // elements of one partial sum

double sum_of_squares(const Tensor& x) {
  std::vector<double> partial(static_cast<std::size_t>((x.size() + block - 1) / block));
  with_float_type("clip_global_norm", x.dtype(), [&]<class T>() {
    const T* const elements = x.data<T>();
    parallel_blocks(x.size(), block, 1, [&](std::int64_t begin, std::int64_t end) {
      double sum = 0;
      for (std::int64_t i = begin; i < end; ++i) {
        const auto element = static_cast<double>(elements[i]);
        sum += element * element;
      }
      partial[static_cast<std::size_t>(begin / block)] = sum;
    });
  });
  double total = 0;
  for (const double sum : partial) total += sum;
  return total;
}

}  // namespace clip_detail

double global_norm(const Gradients& gradients) {
  double total = 0;
  gradients.for_each([&](const Tensor& gradient) { total += clip_detail::sum_of_squares(gradient); });
  return std::sqrt(total);
}

double clip_global_norm(Gradients& gradients, double maximum) {
  if (!(maximum > 0)) fail("clip_global_norm: maximum is ", maximum, ", a positive number wanted");
  const double norm = global_norm(gradients);
  if (!std::isfinite(norm)) return norm;
  const double factor = maximum / (norm + 1e-6);
  if (factor < 1) gradients.transform([=](const Tensor& gradient) { return gradient * factor; });
  return norm;
}

}  // namespace lintel::nn
