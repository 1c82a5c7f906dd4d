#include <lintel/autograd/tape.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/softmax.hpp>

namespace lintel {
namespace softmax_detail {

constexpr double cost = 20;  // operations per element, most of them of the exponential

/// y = kernel(x) row by row.
template <class T>
void apply(const char* op, const Tensor& x, const Tensor& y, const Rows& rows,
           void (*kernel)(const T*, T*, std::int64_t, std::int64_t)) {
  const T* input = x.data<T>();
  T* output = write<T>(y, op);
  for_row_blocks(rows, cost, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * rows.columns;
    kernel(input + first, output + first, end - begin, rows.columns);
  });
}

/// dx = kernel(g, y) row by row.
template <class T>
Tensor apply_backward(const char* op, const Tensor& g, const Tensor& y,
                      void (*kernel)(const T*, const T*, T*, std::int64_t, std::int64_t)) {
  const Rows rows = rows_of(op, y, "y");
  Tensor dx = empty(y.shape(), y.dtype());
  const T *upstream = g.data<T>(), *output = y.data<T>();
  T* result = write<T>(dx, op);
  for_row_blocks(rows, cost, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * rows.columns;
    kernel(upstream + first, output + first, result + first, end - begin, rows.columns);
  });
  return dx;
}

/// x − max x; no derivative flows through the maximum, since neither function changes when a row is shifted.
Tensor below_maximum(const Tensor& x) {
  return x.size() == 0 ? x : x - stop_gradient(max(x, {-1}, true));  // max refuses an empty row
}

Tensor softmax_definition(const Tensor& x) {
  const Tensor powers = exp(below_maximum(x));
  return powers / sum(powers, {-1}, true);
}

Tensor log_softmax_definition(const Tensor& x) {
  const Tensor shifted = below_maximum(x);
  return shifted - log(sum(exp(shifted), {-1}, true));
}

}  // namespace softmax_detail

Tensor softmax(const Tensor& x) {
  using namespace softmax_detail;
  const Rows rows = rows_of("softmax", x, "x");
  Tensor y = empty(x.shape(), x.dtype());
  with_float_type("softmax", x.dtype(),
                  [&]<class T>() { apply<T>("softmax", x, y, rows, active_kernels<T>().softmax_forward); });
  record({.name = "softmax",
          .inputs = {x},
          .outputs = {y},
          .saved = {y},
          .vjp =
              [](const Backward& b) {
                const Tensor& output = b.saved(0);
                return with_float_type("softmax", output.dtype(), [&]<class T>() {
                  return std::vector{
                      apply_backward<T>("softmax", b.cotangent(), output, active_kernels<T>().softmax_backward)};
                });
              },
          .definition = [](const std::vector<Tensor>& inputs) { return std::vector{softmax_definition(inputs[0])}; }});
  return y;
}

Tensor log_softmax(const Tensor& x) {
  using namespace softmax_detail;
  const Rows rows = rows_of("log_softmax", x, "x");
  Tensor y = empty(x.shape(), x.dtype());
  with_float_type("log_softmax", x.dtype(),
                  [&]<class T>() { apply<T>("log_softmax", x, y, rows, active_kernels<T>().log_softmax_forward); });
  record(
      {.name = "log_softmax",
       .inputs = {x},
       .outputs = {y},
       .saved = {y},
       .vjp =
           [](const Backward& b) {
             const Tensor& output = b.saved(0);
             return with_float_type("log_softmax", output.dtype(), [&]<class T>() {
               return std::vector{
                   apply_backward<T>("log_softmax", b.cotangent(), output, active_kernels<T>().log_softmax_backward)};
             });
           },
       .definition = [](const std::vector<Tensor>& inputs) { return std::vector{log_softmax_definition(inputs[0])}; }});
  return y;
}

}  // namespace lintel
