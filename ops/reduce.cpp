// A reduction over any axes is a sequence of reductions of the middle axis of (outer, n, inner): neighbouring axes that
// share a fate are merged, and the groups that disappear are taken one by one, the last first.
#include <algorithm>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/strided_loop.hpp>

namespace lintel {
namespace reduce_detail {

/// Elements that one task reduces. A longer axis is cut into pieces, whose results are reduced in turn.
constexpr std::int64_t piece = 1 << 14;
/// Columns that are reduced side by side; their results stay in the first-level cache.
constexpr std::int64_t column_block = 1024;

/// Elements of a column that are added up one by one, so that rounding errors do not pile up.
constexpr std::int64_t longest_column = 256;

enum class Kind { sum, max };

// ---- Which axes ----------------------------------------------------------------------------------------------------

/// What a reduction does to a shape.
struct Plan {
  std::array<bool, Shape::max_rank> reduced{};
  /// The shape of the result with and without the reduced axes, which have size 1.
  Shape kept, dropped;
  /// Elements that become one.
  std::int64_t count = 1;
};

Plan plan_reduction(const char* op, const Shape& shape, const std::vector<int>& axes) {
  Plan plan;
  if (axes.empty()) plan.reduced.fill(true);
  for (const int axis : axes) {
    bool& reduced = plan.reduced[static_cast<std::size_t>(shape.resolve(op, axis))];
    if (reduced) fail(op, ": axis ", axis, " is given twice for shape ", shape);
    reduced = true;
  }
  std::array<std::int64_t, Shape::max_rank> kept{}, dropped{};
  std::size_t rank = 0, dropped_rank = 0;
  for (const std::int64_t size : shape) {
    const bool reduced = plan.reduced[rank];
    if (reduced) plan.count *= size;
    kept[rank++] = reduced ? 1 : size;
    if (!reduced) dropped[dropped_rank++] = size;
  }
  plan.kept = Shape(std::span<const std::int64_t>(kept.data(), rank));
  plan.dropped = Shape(std::span<const std::int64_t>(dropped.data(), dropped_rank));
  return plan;
}

// ---- The middle axis of three --------------------------------------------------------------------------------------

/// Calls `body(i)` for i < count, `per_task` calls to a task; a single task does not bother other threads.
template <class Body>
void for_each_task(std::int64_t count, std::int64_t per_task, double cost, Body&& body) {
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(i);
  };
  if (count <= per_task) {
    run(0, count);
  } else {
    parallel_blocks(count, per_task, cost, run);
  }
}

template <class T>
T reduce_run(Kind kind, const T* x, std::int64_t count) {
  const Kernels<T>& kernels = active_kernels<T>();
  return kind == Kind::sum ? kernels.sum(x, count) : kernels.max(x, count);
}

/// target[j] = the reduction over i < rows of x[i * stride + j], j < columns; rows is at least 1.
template <class T>
void reduce_columns(Kind kind, const T* x, std::int64_t stride, std::int64_t rows, std::int64_t columns, T* target) {
  const Kernels<T>& kernels = active_kernels<T>();
  if (kind == Kind::sum) {
    std::fill_n(target, columns, T(0));
    kernels.add_column_sums(x, stride, target, rows, columns);
    return;
  }
  std::copy_n(x, columns, target);
  for (std::int64_t i = 1; i < rows; ++i) {
    kernels[Binary::maximum].forward(target, 1, x + i * stride, 1, target, columns);
  }
}

/// (runs, n) -> (runs).
template <class T>
Tensor reduce_last(Kind kind, const Tensor& x, std::int64_t runs, std::int64_t n) {
  const std::int64_t length = std::clamp<std::int64_t>(n, 1, piece);
  const std::int64_t pieces = std::max<std::int64_t>(1, (n + length - 1) / length);
  Tensor result = empty({runs, pieces}, x.dtype());
  const T* from = x.data<T>();
  T* to = write<T>(result, "reduction");
  for_each_task(runs * pieces, piece / length, static_cast<double>(length), [&](std::int64_t i) {
    const std::int64_t first = i % pieces * length;
    to[i] = reduce_run(kind, from + i / pieces * n + first, std::min(length, n - first));
  });
  return pieces == 1 ? result : reduce_last<T>(kind, result, runs, pieces);
}

/// (outer, n, inner) -> (outer, inner), n at least 1.
template <class T>
Tensor reduce_middle(Kind kind, const Tensor& x, std::int64_t outer, std::int64_t n, std::int64_t inner) {
  const std::int64_t columns = std::min(inner, column_block);
  const std::int64_t column_blocks = (inner + columns - 1) / columns;
  const std::int64_t length = std::min(n, std::clamp<std::int64_t>(piece / columns, 16, longest_column));
  const std::int64_t pieces = (n + length - 1) / length;
  const std::int64_t count = outer * pieces * column_blocks;
  const std::int64_t per_task = std::max<std::int64_t>(1, piece / (length * columns));
  Tensor result = empty({outer, pieces, inner}, x.dtype());
  const T* from = x.data<T>();
  T* to = write<T>(result, "reduction");
  for_each_task(count, per_task, static_cast<double>(length * columns), [&](std::int64_t i) {
    const std::int64_t column = i % column_blocks * columns;
    const std::int64_t part = i / column_blocks;  // counts (outer, pieces)
    const std::int64_t row = part % pieces * length;
    reduce_columns(kind, from + (part / pieces * n + row) * inner + column, inner, std::min(length, n - row),
                   std::min(columns, inner - column), to + part * inner + column);
  });
  return pieces == 1 ? result : reduce_middle<T>(kind, result, outer, pieces, inner);
}

template <class T>
Tensor reduce_group(Kind kind, const Tensor& x, std::int64_t outer, std::int64_t n, std::int64_t inner) {
  if (inner == 1) return reduce_last<T>(kind, x, outer, n);
  if (n == 0 || outer * inner == 0) return zeros({outer, inner}, x.dtype());
  return reduce_middle<T>(kind, x, outer, n, inner);
}

/// The reduction of `x` by `plan`, in a buffer of its own; no tape sees it.
template <class T>
Tensor reduce_axes(Kind kind, const Tensor& x, const Plan& plan) {
  Tensor result = x;
  std::int64_t outer = x.size(), n = 1, inner = 1;
  if (plan.count == 0) return zeros(plan.dropped, x.dtype());
  for (int axis = x.rank(); axis-- > 0;) {
    const std::int64_t size = x.size(axis);
    outer = size == 0 ? 0 : outer / size;
    if (plan.reduced[static_cast<std::size_t>(axis)]) {
      n *= size;
    } else if (n == 1) {
      inner *= size;
    } else {
      result = reduce_group<T>(kind, result, outer * size, n, inner);
      n = 1;
      inner *= size;
    }
  }
  if (n > 1) result = reduce_group<T>(kind, result, outer, n, inner);
  return result.id() == x.id() ? clone(x) : result;
}

Tensor reduce(const char* op, Kind kind, const Tensor& x, const Plan& plan) {
  return with_float_type(op, x.dtype(), [&]<class T>() { return reduce_axes<T>(kind, x, plan); });
}

// ---- What each op adds ---------------------------------------------------------------------------------------------

/// Records `result`, the sum times `factor`.
Tensor record_scaled_sum(const char* op, const Tensor& x, Tensor result, const Shape& kept, double factor) {
  record({.name = op,
          .inputs = {x},
          .outputs = {result},
          .saved = {},
          .vjp = [shape = x.shape(), kept, factor](const Backward& backward) {
            const Tensor g = reshape(backward.cotangent(), kept);
            return std::vector{broadcast_to(factor == 1 ? g : mul(g, factor), shape)};
          }});
  return result;
}

/// 1/k for each of the k elements of x that equal their maximum, 0 for others: a constant to every tape.
Tensor share_of_maximum(const Tensor& x, const Tensor& maximum, const Plan& plan) {
  Tensor shares = empty(x.shape(), x.dtype());
  const Tensor largest = share_buffer(maximum, plan.kept);
  with_float_type("max", x.dtype(), [&]<class T>() {
    const T *from = x.data<T>(), *top = largest.data<T>();
    T* to = write<T>(shares, "max");
    const StridedLoop<1> loop = broadcast_loop<1>(x.shape(), {&plan.kept});
    const std::int64_t step = loop.inner_strides()[0];
    parallel_blocks(x.size(), piece, 2, [&](std::int64_t begin, std::int64_t end) {
      loop.run(begin, end, [&](std::int64_t place, std::int64_t count, const auto& offsets) {
        for (std::int64_t i = 0; i < count; ++i) {
          const T value = from[place + i], best = top[offsets[0] + i * step];
          to[place + i] = value == best || (value != value && best != best) ? T(1) : T(0);
        }
      });
    });
  });
  const Tensor ties = share_buffer(reduce("max", Kind::sum, shares, plan), plan.kept);
  return div(shares, ties);
}

/// The axes of `larger` along which `shape` is stretched, and the new ones in front.
std::vector<int> stretched_axes(const Shape& shape, const Shape& larger) {
  std::vector<int> axes;
  const int added = larger.rank() - shape.rank();
  for (int axis = 0; axis < larger.rank(); ++axis) {
    if (axis < added || shape.begin()[axis - added] != larger.begin()[axis]) axes.push_back(axis);
  }
  return axes;
}

}  // namespace reduce_detail

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep_dims) {
  using namespace reduce_detail;
  check_defined("sum", x, "the input");
  const Plan plan = plan_reduction("sum", x.shape(), axes);
  const Tensor total = reduce("sum", Kind::sum, x, plan);
  return record_scaled_sum("sum", x, share_buffer(total, keep_dims ? plan.kept : plan.dropped), plan.kept, 1);
}

Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep_dims) {
  using namespace reduce_detail;
  check_defined("mean", x, "the input");
  const Plan plan = plan_reduction("mean", x.shape(), axes);
  const Tensor total = reduce("mean", Kind::sum, x, plan);
  with_float_type("mean", x.dtype(), [&]<class T>() {
    T* elements = write<T>(total, "mean");
    for (std::int64_t i = 0; i < total.size(); ++i) elements[i] /= static_cast<T>(plan.count);
  });
  const double factor = 1 / static_cast<double>(plan.count);
  return record_scaled_sum("mean", x, share_buffer(total, keep_dims ? plan.kept : plan.dropped), plan.kept, factor);
}

Tensor max(const Tensor& x, const std::vector<int>& axes, bool keep_dims) {
  using namespace reduce_detail;
  check_defined("max", x, "the input");
  const Plan plan = plan_reduction("max", x.shape(), axes);
  if (plan.count == 0 && plan.dropped.size() > 0) fail("max: shape ", x.shape(), " leaves nothing to take it of");
  Tensor result = share_buffer(reduce("max", Kind::max, x, plan), keep_dims ? plan.kept : plan.dropped);
  record({.name = "max",
          .inputs = {x},
          .outputs = {result},
          .saved = {x, result},
          .vjp = [plan](const Backward& backward) {
            const Tensor shares = share_of_maximum(backward.saved(0), backward.saved(1), plan);
            return std::vector{mul(reshape(backward.cotangent(), plan.kept), shares)};
          }});
  return result;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  using namespace reduce_detail;
  check_defined("sum_to", x, "the input");
  if (x.shape() == shape) return fresh_identity(x);
  if (broadcast_shapes("sum_to", shape, x.shape()) != x.shape()) {
    fail("sum_to: shape ", shape, " does not broadcast to ", x.shape());
  }
  const Plan plan = plan_reduction("sum_to", x.shape(), stretched_axes(shape, x.shape()));
  const Tensor total = reduce("sum_to", Kind::sum, x, plan);
  return record_scaled_sum("sum_to", x, share_buffer(total, shape), plan.kept, 1);
}

}  // namespace lintel
