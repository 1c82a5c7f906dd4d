#include <algorithm>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/class_labels.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/linear_cross_entropy.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel {
namespace linear_cross_entropy_detail {

constexpr double cost = 20;                        // operations per logit, most of them of the exponential
constexpr std::int64_t logits_of_block = 1 << 20;  // they stay in the caches between their uses
constexpr std::int64_t fewest_rows = 512;          // of a block: every block reads the weight and adds to its gradient
constexpr std::int64_t elements_of_task = 1 << 14;
constexpr std::int64_t columns_of_task = 64;
constexpr std::size_t input_count = 4;  // x, weight, bias, labels; behind them are saved the gradients

void check_inputs(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& labels,
                  const CrossEntropyOptions& options) {
  constexpr const char* op = "linear_cross_entropy";
  check_same_dtype(op, x, weight);
  if (x.rank() == 0 || weight.rank() != 2 || weight.size(1) != x.size(-1)) {
    fail(op, ": x ", x.shape(), " and weight ", weight.shape(), " do not fit, (..., in) and (classes, in) wanted");
  }
  if (bias.defined()) check_parameter(op, bias, x.dtype(), weight.size(0), "bias");
  check_labels(op, x, "x", labels, options);
}

struct RowBlock {
  std::int64_t first, count;
};

template <class T>
struct Problem {
  std::int64_t rows, in, classes;
  const T *x, *weight, *bias;
  const std::int64_t* labels;
  std::int64_t ignore_index;
  T smoothing;

  std::int64_t rows_of_block() const { return std::min(rows, std::max(fewest_rows, logits_of_block / classes)); }
  std::int64_t classes_of_block() const { return std::min(classes, logits_of_block / rows_of_block()); }
  RowBlock rows_from(std::int64_t first) const { return {first, std::min(rows_of_block(), rows - first)}; }
  ClassBlock classes_from(std::int64_t first) const {
    return {first, std::min(classes_of_block(), classes - first), classes};
  }
};

template <class T>
Problem<T> problem_of(const std::vector<Tensor>& inputs, const CrossEntropyOptions& options) {
  const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2], &labels = inputs[3];
  return {.rows = labels.size(),
          .in = weight.size(1),
          .classes = weight.size(0),
          .x = x.data<T>(),
          .weight = weight.data<T>(),
          .bias = bias.defined() ? bias.data<T>() : nullptr,
          .labels = labels.data<std::int64_t>(),
          .ignore_index = options.ignore_index,
          .smoothing = static_cast<T>(options.label_smoothing)};
}

/// What the passes over the logits of a block of rows keep of its rows.
template <class T>
struct RowStatistics {
  std::vector<LogitRow<T>> read;
  Scratch<T> maximum, inverse_sum;

  explicit RowStatistics(std::int64_t rows) : read(static_cast<std::size_t>(rows)), maximum(rows), inverse_sum(rows) {}
};

/// Calls `body(begin, end)` for the rows of a block of logits, in parallel.
template <class Body>
void for_rows(RowBlock rows, ClassBlock classes, Body&& body) {
  const std::int64_t block = std::max<std::int64_t>(1, elements_of_task / classes.count);
  parallel_blocks(rows.count, block, cost * static_cast<double>(classes.count), body);
}

template <class T>
void compute_logits(const Problem<T>& p, RowBlock rows, ClassBlock classes, T* logits, RowStatistics<T>& statistics) {
  apply_weight<T>(rows.count, classes.count, p.in, {p.x + rows.first * p.in, p.in},
                  {p.weight + classes.first * p.in, p.in}, p.bias ? p.bias + classes.first : nullptr,
                  {logits, classes.count});
  for_rows(rows, classes, [&](std::int64_t begin, std::int64_t end) {
    active_kernels<T>().cross_entropy_read(logits + begin * classes.count, p.labels + rows.first + begin,
                                           statistics.read.data() + begin, end - begin, classes);
  });
}

/// The sum of the losses of rows all of whose logits were read.
template <class T>
double finish_rows(const Problem<T>& p, RowBlock rows, const RowStatistics<T>& statistics) {
  constexpr std::int64_t block = 256;
  std::vector<double> block_sums(static_cast<std::size_t>((rows.count + block - 1) / block));
  parallel_blocks(rows.count, block, cost, [&](std::int64_t begin, std::int64_t end) {
    block_sums[static_cast<std::size_t>(begin / block)] = active_kernels<T>().cross_entropy_finish(
        statistics.read.data() + begin, p.labels + rows.first + begin, statistics.maximum + begin,
        statistics.inverse_sum + begin, end - begin, p.classes, p.ignore_index, p.smoothing);
  });
  double total = 0;
  for (const double sum : block_sums) total += sum;
  return total;
}

/// Where the gradients go; null where nobody wants one.
template <class T>
struct Targets {
  T *x = nullptr, *weight = nullptr, *bias = nullptr;

  bool any() const { return x || weight || bias; }
};

/// Turns a block of logits into `factor` times the cotangents of their losses, and adds what follows to the gradients.
/// The first block of rows starts the gradients of its classes, the first block of classes those of its rows.
template <class T>
void add_gradients(const Problem<T>& p, RowBlock rows, ClassBlock classes, T factor, T* logits,
                   const RowStatistics<T>& statistics, const Targets<T>& targets) {
  for_rows(rows, classes, [&](std::int64_t begin, std::int64_t end) {
    T* part = logits + begin * classes.count;
    active_kernels<T>().cross_entropy_backward(part, p.labels + rows.first + begin, statistics.maximum + begin,
                                               statistics.inverse_sum + begin, factor, part, end - begin, classes,
                                               p.ignore_index, p.smoothing);
  });
  const Block<const T> upstream{logits, classes.count};
  if (targets.x) {
    multiply<T>(rows.count, p.in, classes.count, upstream, {p.weight + classes.first * p.in, p.in},
                {targets.x + rows.first * p.in, p.in}, classes.first > 0);
  }
  if (targets.weight) {
    multiply_transposed_a<T>(classes.count, p.in, rows.count, upstream, {p.x + rows.first * p.in, p.in},
                             {targets.weight + classes.first * p.in, p.in}, rows.first > 0);
  }
  if (targets.bias) {
    T* sums = targets.bias + classes.first;
    const auto adds = static_cast<double>(rows.count);
    parallel_blocks(classes.count, columns_of_task, adds, [&](std::int64_t begin, std::int64_t end) {
      if (rows.first == 0) std::fill(sums + begin, sums + end, T(0));
      active_kernels<T>().add_column_sums(logits + begin, classes.count, sums + begin, rows.count, end - begin);
    });
  }
}

/// The sum of the rows' losses. The gradients of `factor` times the sum go into `targets`.
template <class T>
double sum_of_losses(const Problem<T>& p, T factor, const Targets<T>& targets) {
  if (p.rows == 0 || p.classes == 0) return 0;
  // The blocks of classes lie one behind the other when they are wanted once more, else each replaces the one before.
  const std::int64_t rows_of_block = p.rows_of_block();
  const Scratch<T> logits(rows_of_block * (targets.any() ? p.classes : p.classes_of_block()));
  RowStatistics<T> statistics(rows_of_block);
  double total = 0;
  for (std::int64_t row = 0; row < p.rows; row += rows_of_block) {
    const RowBlock rows = p.rows_from(row);
    for (std::int64_t first = 0; first < p.classes; first += p.classes_of_block()) {
      compute_logits<T>(p, rows, p.classes_from(first), logits + (targets.any() ? rows.count * first : 0), statistics);
    }
    total += finish_rows(p, rows, statistics);
    if (!targets.any()) continue;
    for (std::int64_t first = 0; first < p.classes; first += p.classes_of_block()) {
      add_gradients<T>(p, rows, p.classes_from(first), factor, logits + rows.count * first, statistics, targets);
    }
  }
  return total;
}

/// Tensors for the gradients of those inputs i for which `wanted(i)`; zeros where no logit would fill them.
template <class Wanted>
std::vector<Tensor> gradients_for(const std::vector<Tensor>& inputs, const Wanted& wanted) {
  const bool no_logits = inputs[1].size(0) == 0 || inputs[3].size() == 0;
  std::vector<Tensor> gradients(input_count);
  for (std::size_t i = 0; i + 1 < input_count; ++i) {
    if (!inputs[i].defined() || !wanted(i)) continue;
    gradients[i] =
        no_logits ? zeros(inputs[i].shape(), inputs[i].dtype()) : empty(inputs[i].shape(), inputs[i].dtype());
  }
  return gradients;
}

template <class T>
Targets<T> targets_of(const std::vector<Tensor>& gradients) {
  const auto target = [&](std::size_t i) {
    return gradients[i].defined() ? write<T>(gradients[i], "linear_cross_entropy") : nullptr;
  };
  return {target(0), target(1), target(2)};
}

/// factor·x; x itself where the factor is 1.
template <class T>
Tensor scaled(const Tensor& x, double factor) {
  if (factor == 1) return x;
  Tensor y = empty(x.shape(), x.dtype());
  const T* from = x.data<T>();
  T* to = write<T>(y, "linear_cross_entropy");
  parallel_blocks(x.size(), elements_of_task, 1, [&](std::int64_t begin, std::int64_t end) {
    active_kernels<T>().scale(static_cast<T>(factor), from + begin, to + begin, end - begin);
  });
  return y;
}

/// Saved are the inputs and the gradients of what a tape watched. Someone may want another one: a tensor that no tape
/// watches can be asked for.
std::vector<Tensor> linear_cross_entropy_vjp(const Backward& b, double inverse_count,
                                             const CrossEntropyOptions& options) {
  std::vector<Tensor> inputs, kept;
  bool all_kept = true;
  for (std::size_t i = 0; i < input_count; ++i) {
    inputs.push_back(b.saved(i));
    kept.push_back(b.saved(input_count + i));
    all_kept = all_kept && (!b.wants(i) || kept[i].defined());
  }
  const double upstream = b.cotangent().item();
  return with_float_type("linear_cross_entropy", inputs[0].dtype(), [&]<class T>() {
    if (all_kept) {
      for (std::size_t i = 0; i < input_count; ++i) kept[i] = b.wants(i) ? scaled<T>(kept[i], upstream) : Tensor();
      return kept;
    }
    const std::vector<Tensor> gradients = gradients_for(inputs, [&](std::size_t i) { return b.wants(i); });
    sum_of_losses(problem_of<T>(inputs, options), static_cast<T>(upstream * inverse_count), targets_of<T>(gradients));
    return gradients;
  });
}

}  // namespace linear_cross_entropy_detail

Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& labels,
                            const CrossEntropyOptions& options) {
  using namespace linear_cross_entropy_detail;
  check_inputs(x, weight, bias, labels, options);
  const std::int64_t count = count_labels("linear_cross_entropy", labels, weight.size(0), options.ignore_index);
  const double inverse_count = count == 0 ? 0 : 1 / static_cast<double>(count);
  const std::vector<Tensor> inputs{x, weight, bias, labels};
  const std::vector<Tensor> gradients = gradients_for(inputs, [&](std::size_t i) { return is_recording({inputs[i]}); });
  Tensor loss = empty({}, x.dtype());
  with_float_type("linear_cross_entropy", x.dtype(), [&]<class T>() {
    const double total =
        sum_of_losses(problem_of<T>(inputs, options), static_cast<T>(inverse_count), targets_of<T>(gradients));
    *write<T>(loss, "linear_cross_entropy") = static_cast<T>(count == 0 ? 0 : total * inverse_count);
  });
  std::vector<Tensor> saved = inputs;
  saved.insert(saved.end(), gradients.begin(), gradients.end());
  record({.name = "linear_cross_entropy",
          .inputs = inputs,
          .outputs = {loss},
          .saved = std::move(saved),
          .vjp = [=](const Backward& b) { return linear_cross_entropy_vjp(b, inverse_count, options); },
          .flops = product_flops(labels.size(), weight.size(0), weight.size(1)),
          .definition =
              [options](const std::vector<Tensor>& of) {
                return std::vector{cross_entropy(linear(of[0], of[1], of[2]), of[3], options)};
              }});
  return loss;
}

}  // namespace lintel
