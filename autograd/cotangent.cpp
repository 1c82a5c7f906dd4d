#include <lintel/autograd/cotangent.hpp>
#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>

namespace lintel {
namespace cotangent_detail {

constexpr std::int64_t block = 1 << 14;  // elements of one parallel task

/// target = a + b; target may be a.
void sum_into(const Tensor& target, const Tensor& a, const Tensor& b) {
  with_float_type("sum of cotangents", target.dtype(), [&]<class T>() {
    const T* first = a.data<T>();
    const T* second = b.data<T>();
    T* sum = write<T>(target, "sum of cotangents");
    parallel_blocks(target.size(), block, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) sum[i] = first[i] + second[i];
    });
  });
}

}  // namespace cotangent_detail

Tensor add_cotangents(const Tensor& a, const Tensor& b) {
  Tensor sum = empty(a.shape(), a.dtype());
  cotangent_detail::sum_into(sum, a, b);
  record({.name = "sum of cotangents",
          .inputs = {a, b},
          .outputs = {sum},
          .saved = {},
          .vjp = [](const Backward& backward) {
            return std::vector{backward.cotangent(), backward.cotangent()};
          }});
  return sum;
}

void accumulate_cotangent(Tensor& sum, const Tensor& b) {
  if (sum.owns_buffer_alone() && !is_recording({sum, b})) {
    cotangent_detail::sum_into(sum, sum, b);
  } else {
    sum = add_cotangents(sum, b);
  }
}

Tensor zero_cotangent(const Shape& shape, DType dtype) { return zeros(shape, dtype); }

}  // namespace lintel
