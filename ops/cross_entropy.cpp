#include <algorithm>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/ops/class_labels.hpp>
#include <lintel/ops/cross_entropy.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/index.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/softmax.hpp>

namespace lintel {
namespace cross_entropy_detail {

constexpr double cost = 20;  // operations per element, most of them of the exponential

/// Rows of one task, about 16,000 elements.
std::int64_t block_of(std::int64_t classes) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, classes));
}

/// The sum of the rows' losses; fills the rows' maxima and 1/Σ e^(x − maximum).
template <class T>
double sum_of_losses(const Tensor& logits, const Tensor& labels, const Tensor& maximum, const Tensor& inverse_sum,
                     const CrossEntropyOptions& options) {
  const std::int64_t rows = labels.size(), classes = logits.size(-1), block = block_of(classes);
  const T* x = logits.data<T>();
  const std::int64_t* label = labels.data<std::int64_t>();
  T *m = write<T>(maximum, "cross_entropy"), *s = write<T>(inverse_sum, "cross_entropy");
  std::vector<double> block_sums(static_cast<std::size_t>((rows + block - 1) / block));
  parallel_blocks(rows, block, cost * static_cast<double>(classes), [&](std::int64_t begin, std::int64_t end) {
    block_sums[static_cast<std::size_t>(begin / block)] = active_kernels<T>().cross_entropy_forward(
        x + begin * classes, label + begin, m + begin, s + begin, end - begin, classes, options.ignore_index,
        static_cast<T>(options.label_smoothing));
  });
  double total = 0;
  for (const double sum : block_sums) total += sum;
  return total;
}

/// The cotangent of the logits; `factor` is that of the loss over the number of rows it is the mean of.
template <class T>
Tensor dlogits_of(const Backward& b, double factor, const CrossEntropyOptions& options) {
  const Tensor &logits = b.saved(0), &labels = b.saved(1);
  const std::int64_t rows = labels.size(), classes = logits.size(-1);
  const T *x = logits.data<T>(), *m = b.saved(2).data<T>(), *s = b.saved(3).data<T>();
  const std::int64_t* label = labels.data<std::int64_t>();
  Tensor dlogits = empty(logits.shape(), logits.dtype());
  T* dx = write<T>(dlogits, "cross_entropy");
  parallel_blocks(
      rows, block_of(classes), cost * static_cast<double>(classes), [&](std::int64_t begin, std::int64_t end) {
        active_kernels<T>().cross_entropy_backward(
            x + begin * classes, label + begin, m + begin, s + begin, static_cast<T>(factor), dx + begin * classes,
            end - begin, {0, classes, classes}, options.ignore_index, static_cast<T>(options.label_smoothing));
      });
  return dlogits;
}

/// Whether each row counts, as (rows, 1) of bool, and labels that stay inside the classes where it does not.
std::pair<Tensor, Tensor> counted_rows(const Tensor& labels, std::int64_t ignore_index) {
  const std::int64_t* label = labels.data<std::int64_t>();
  Tensor counted = empty({labels.size(), 1}, DType::boolean), safe = empty({labels.size(), 1}, DType::int64);
  bool* counts = write<bool>(counted, "cross_entropy");
  std::int64_t* safe_label = write<std::int64_t>(safe, "cross_entropy");
  for (std::int64_t row = 0; row < labels.size(); ++row) {
    counts[row] = label[row] != ignore_index;
    safe_label[row] = counts[row] ? label[row] : 0;
  }
  return {counted, safe};
}

Tensor definition(const Tensor& logits, const Tensor& labels, std::int64_t count, const CrossEntropyOptions& options) {
  if (count == 0) return scalar(0, logits.dtype());
  const Tensor log_probabilities = log_softmax(reshape(logits, {labels.size(), logits.size(-1)}));
  const auto [counted, safe_labels] = counted_rows(labels, options.ignore_index);
  Tensor gain = gather(log_probabilities, -1, safe_labels);  // (rows, 1)
  if (options.label_smoothing > 0) {
    gain = gain * (1 - options.label_smoothing) + mean(log_probabilities, {-1}, true) * options.label_smoothing;
  }
  return sum(where(counted, gain, zeros(gain.shape(), gain.dtype()))) * (-1.0 / static_cast<double>(count));
}

}  // namespace cross_entropy_detail

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  using namespace cross_entropy_detail;
  rows_of("cross_entropy", logits, "logits");
  check_labels("cross_entropy", logits, "logits", labels, options);
  const std::int64_t count = count_labels("cross_entropy", labels, logits.size(-1), options.ignore_index);
  Tensor maximum = empty({labels.size()}, logits.dtype()), inverse_sum = empty({labels.size()}, logits.dtype());
  Tensor loss = empty({}, logits.dtype());
  with_float_type("cross_entropy", logits.dtype(), [&]<class T>() {
    const double total = sum_of_losses<T>(logits, labels, maximum, inverse_sum, options);
    *write<T>(loss, "cross_entropy") = static_cast<T>(count == 0 ? 0 : total / static_cast<double>(count));
  });
  record({.name = "cross_entropy",
          .inputs = {logits, labels},
          .outputs = {loss},
          .saved = {logits, labels, maximum, inverse_sum},
          .vjp =
              [count, options](const Backward& b) {
                const double factor = count == 0 ? 0 : b.cotangent().item() / static_cast<double>(count);
                const Tensor dlogits = with_float_type("cross_entropy", b.saved(0).dtype(),
                                                       [&]<class T>() { return dlogits_of<T>(b, factor, options); });
                return std::vector{dlogits, Tensor()};
              },
          .definition =
              [count, options](const std::vector<Tensor>& inputs) {
                return std::vector{definition(inputs[0], inputs[1], count, options)};
              }});
  return loss;
}

}  // namespace lintel
