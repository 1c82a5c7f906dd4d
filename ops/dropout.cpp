#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/dropout.hpp>
#include <lintel/ops/dropout_mask.hpp>

namespace lintel {
namespace dropout_detail {

constexpr std::int64_t block = 1 << 13;  // elements of one parallel task, a multiple of the four words of a counter
constexpr double cost = 6;               // operations per element, most of them of the generator

}  // namespace dropout_detail

Tensor dropout(const Tensor& x, double rate, std::uint64_t key) {
  using namespace dropout_detail;
  check_defined("dropout", x, "x");
  check_dropout_rate("dropout", rate);
  Tensor y = rate == 0 ? fresh_identity(x) : empty(x.shape(), x.dtype());
  with_float_type("dropout", x.dtype(), [&]<class T>() {
    if (rate == 0) return;
    const T* input = x.data<T>();
    T* output = write<T>(y, "dropout");
    parallel_blocks(x.size(), block, cost, [&](std::int64_t begin, std::int64_t end) {
      apply_dropout<T>({rate, key}, input + begin, output + begin, begin, end - begin);
    });
  });
  record({.name = "dropout", .inputs = {x}, .outputs = {y}, .saved = {}, .vjp = [rate, key](const Backward& b) {
            return std::vector{dropout(b.cotangent(), rate, key)};
          }});
  return y;
}

}  // namespace lintel
