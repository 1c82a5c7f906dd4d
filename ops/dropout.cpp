#include <algorithm>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/dropout.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {
namespace dropout_detail {

constexpr std::int64_t block = 1 << 13;  // elements of one parallel task, a multiple of the four words of a counter
constexpr double cost = 6;               // operations per element, most of them of the generator

/// The smallest random word that keeps an element; a rate next to 1 keeps the largest word.
std::uint32_t threshold_of(double rate) { return static_cast<std::uint32_t>(std::min(rate * 0x1p32, 0x1p32 - 1)); }

}  // namespace dropout_detail

Tensor dropout(const Tensor& x, double rate, std::uint64_t key) {
  using namespace dropout_detail;
  check_defined("dropout", x, "x");
  if (!(rate >= 0 && rate < 1)) fail("dropout: rate is ", rate, ", a number in [0, 1) wanted");
  Tensor y = rate == 0 ? fresh_identity(x) : empty(x.shape(), x.dtype());
  with_float_type("dropout", x.dtype(), [&]<class T>() {
    if (rate == 0) return;
    const T* input = x.data<T>();
    T* output = write<T>(y, "dropout");
    parallel_blocks(x.size(), block, cost, [&](std::int64_t begin, std::int64_t end) {
      active_kernels<T>().dropout(input + begin, output + begin, begin, end - begin, key, threshold_of(rate),
                                  static_cast<T>(1 / (1 - rate)));
    });
  });
  record({.name = "dropout", .inputs = {x}, .outputs = {y}, .saved = {}, .vjp = [rate, key](const Backward& b) {
            return std::vector{dropout(b.cotangent(), rate, key)};
          }});
  return y;
}

}  // namespace lintel
