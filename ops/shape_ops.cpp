#include <algorithm>
#include <cstring>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/strided_loop.hpp>

namespace lintel {
namespace shape_ops_detail {

constexpr std::int64_t block = 1 << 14;  // elements of one parallel task
constexpr std::int64_t tile = 32;        // rows and columns that a transposition moves at once

// ---- Copies --------------------------------------------------------------------------------------------------------

/// Fills `target` from `source` along `loop`.
template <class T>
void copy_strided(const StridedLoop<1>& loop, const T* source, T* target) {
  const std::int64_t step = loop.inner_strides()[0];
  parallel_blocks(loop.size(), block, 1, [&](std::int64_t begin, std::int64_t end) {
    loop.run(begin, end, [&](std::int64_t place, std::int64_t count, const auto& offsets) {
      const T* from = source + offsets[0];
      T* to = target + place;
      if (step == 1) {
        std::copy(from, from + count, to);
      } else if (step == 0) {
        std::fill(to, to + count, *from);
      } else {
        for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * step];
      }
    });
  });
}

/// to[j * to_stride + i] = from[i * from_stride + j] for a tile. It passes through a buffer: along the columns of a
/// wide matrix, cache lines whose addresses differ by a power of two would push each other out before they are used up.
template <class T>
void transpose_tile(const T* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, T* to,
                    std::int64_t to_stride) {
  T buffer[tile][tile + 1];
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) buffer[i][j] = from[i * from_stride + j];
  }
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) to[j * to_stride + i] = buffer[i][j];
  }
}

/// (count, rows, columns) -> (count, columns, rows).
template <class T>
void transpose_matrices(const T* source, std::int64_t count, std::int64_t rows, std::int64_t columns, T* target) {
  const std::int64_t column_tiles = (columns + tile - 1) / tile;
  parallel_for(count * column_tiles, static_cast<double>(rows * tile) * 2, [&](std::int64_t task) {
    const T* from = source + task / column_tiles * rows * columns;
    T* to = target + task / column_tiles * rows * columns;
    const std::int64_t column = task % column_tiles * tile;
    for (std::int64_t row = 0; row < rows; row += tile) {
      transpose_tile(from + row * columns + column, columns, std::min(tile, rows - row),
                     std::min(tile, columns - column), to + column * rows + row, rows);
    }
  });
}

/// Copies `count` rows of `bytes` each between buffers whose rows lie further apart.
void copy_rows(const std::byte* from, std::size_t from_stride, std::byte* to, std::size_t to_stride, std::size_t bytes,
               std::int64_t count) {
  if (count == 1) {
    return parallel_blocks(static_cast<std::int64_t>(bytes), 1 << 16, 0.25, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
    });
  }
  const auto rows_of_task = static_cast<std::int64_t>(std::max<std::size_t>(1, (std::size_t{1} << 16) / (bytes + 1)));
  parallel_blocks(count, rows_of_task, static_cast<double>(bytes) / 4, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      std::memcpy(to + i * to_stride, from + i * from_stride, bytes);
    }
  });
}

const std::byte* bytes_of(const Tensor& x) { return static_cast<const std::byte*>(view(x).data); }

/// A shape seen from one of its axes: elements before, along and after it.
struct AroundAxis {
  std::int64_t outer = 1, size = 1, inner = 1;

  AroundAxis(const Shape& shape, int axis) : size(shape[axis]) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  }
};

// ---- Permutations --------------------------------------------------------------------------------------------------

/// The axes that bring back what `axes` moved.
std::vector<int> inverse_permutation(const std::vector<int>& axes) {
  std::vector<int> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[static_cast<std::size_t>(axes[i])] = static_cast<int>(i);
  return inverse;
}

std::vector<int> resolve_permutation(const Shape& shape, const std::vector<int>& axes) {
  std::vector<int> resolved;
  bool named[Shape::max_rank] = {};
  for (const int axis : axes) {
    resolved.push_back(shape.resolve("permute", axis));
    bool& is_named = named[resolved.back()];
    if (is_named) fail("permute: axis ", axis, " is given twice for shape ", shape);
    is_named = true;
  }
  if (static_cast<int>(axes.size()) != shape.rank()) {
    fail("permute: ", axes.size(), " axes given for shape ", shape, ", every axis once wanted");
  }
  return resolved;
}

/// Whether `axes` exchanges two neighbouring groups of axes and leaves those before in place, so that the whole is a
/// transposition of matrices; `first` and `second` are where the groups begin.
bool is_transposition(const std::vector<int>& axes, std::size_t& first, std::size_t& second) {
  const std::size_t rank = axes.size();
  first = 0;
  while (first < rank && axes[first] == static_cast<int>(first)) ++first;
  if (first == rank) return false;
  second = static_cast<std::size_t>(axes[first]);
  for (std::size_t i = first; i < rank; ++i) {
    const std::size_t wanted = i < first + rank - second ? second + (i - first) : i - (rank - second);
    if (static_cast<std::size_t>(axes[i]) != wanted) return false;
  }
  return true;
}

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t size = 1;
  for (std::size_t axis = begin; axis < end; ++axis) size *= shape.begin()[axis];
  return size;
}

template <class T>
void permute_elements(const Tensor& x, const std::vector<int>& axes, const Tensor& y) {
  const T* source = x.data<T>();
  T* target = write<T>(y, "permute");
  std::size_t first = 0, second = 0;
  if (y.size() == 0) return;
  if (is_transposition(axes, first, second)) {
    const Shape& shape = x.shape();
    return transpose_matrices(source, product(shape, 0, first), product(shape, first, second),
                              product(shape, second, axes.size()), target);
  }
  const auto strides = contiguous_strides(x.shape());
  StridedLoop<1> loop;
  for (const int axis : axes) loop.append(x.size(axis), {strides[static_cast<std::size_t>(axis)]});
  copy_strided(loop, source, target);
}

// ---- Concatenation -------------------------------------------------------------------------------------------------

/// The shape of `tensors` one after the other along `axis`, which is resolved.
Shape concatenated_shape(const std::vector<Tensor>& tensors, int axis) {
  const Shape& first = tensors.front().shape();
  std::int64_t size = 0;
  for (const Tensor& x : tensors) {
    check_same_dtype("concat", tensors.front(), x);
    if (x.rank() != first.rank() || x.shape().with(axis, first[axis]) != first) {
      fail("concat: shapes ", first, " and ", x.shape(), " differ beside axis ", axis);
    }
    if (__builtin_add_overflow(size, x.size(axis), &size))
      fail("concat: the size of axis ", axis, " overflows 64 bits");
  }
  return first.with(axis, size);
}

std::vector<Tensor> concat_vjp(const Backward& backward, int axis, const std::vector<std::int64_t>& sizes) {
  std::vector<Tensor> cotangents(sizes.size());
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (backward.wants(i)) cotangents[i] = slice(backward.cotangent(), axis, begin, begin + sizes[i]);
    begin += sizes[i];
  }
  return cotangents;
}

/// The cotangent of x for a slice of x: `part` between zeros.
Tensor between_zeros(const Tensor& part, int axis, std::int64_t begin, std::int64_t size) {
  const std::int64_t after = size - begin - part.size(axis);
  return concat(
      {zeros(part.shape().with(axis, begin), part.dtype()), part, zeros(part.shape().with(axis, after), part.dtype())},
      axis);
}

}  // namespace shape_ops_detail

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_defined("reshape", x, "the input");
  if (shape.size() != x.size()) {
    fail("reshape: shape ", x.shape(), " holds ", x.size(), " elements, ", shape, " wants ", shape.size());
  }
  Tensor y = share_buffer(x, shape);
  record({.name = "reshape",
          .inputs = {x},
          .outputs = {y},
          .saved = {},
          .vjp = [from = x.shape()](const Backward& backward) {
            return std::vector{reshape(backward.cotangent(), from)};
          }});
  return y;
}

Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes) {
  check_defined("reshape", x, "the input");
  std::vector<std::int64_t> resolved(sizes);
  const auto unknown = std::find(resolved.begin(), resolved.end(), -1);
  if (unknown != resolved.end()) {
    *unknown = 1;
    const std::int64_t known = Shape(resolved).size();
    if (known == 0 || x.size() % known != 0) {
      fail("reshape: shape ", x.shape(), " holds ", x.size(), " elements, not a multiple of ", known);
    }
    *unknown = x.size() / known;
  }
  return reshape(x, Shape(resolved));
}

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  using namespace shape_ops_detail;
  check_defined("permute", x, "the input");
  const std::vector<int> resolved = resolve_permutation(x.shape(), axes);
  std::array<std::int64_t, Shape::max_rank> sizes{};
  for (std::size_t i = 0; i < resolved.size(); ++i) sizes[i] = x.size(resolved[i]);
  Tensor y = empty(Shape(std::span<const std::int64_t>(sizes.data(), resolved.size())), x.dtype());
  with_type(x.dtype(), [&]<class T>() { permute_elements<T>(x, resolved, y); });
  record({.name = "permute",
          .inputs = {x},
          .outputs = {y},
          .saved = {},
          .vjp = [inverse = inverse_permutation(resolved)](const Backward& backward) {
            return std::vector{permute(backward.cotangent(), inverse)};
          }});
  return y;
}

Tensor transpose(const Tensor& x, int first_axis, int second_axis) {
  check_defined("transpose", x, "the input");
  std::vector<int> axes;
  for (int axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  std::swap(axes[static_cast<std::size_t>(x.shape().resolve("transpose", first_axis))],
            axes[static_cast<std::size_t>(x.shape().resolve("transpose", second_axis))]);
  return permute(x, axes);
}

Tensor concat(const std::vector<Tensor>& tensors, int axis) {
  using namespace shape_ops_detail;
  if (tensors.empty()) fail("concat: no tensors given, at least one wanted");
  for (const Tensor& x : tensors) check_defined("concat", x, "an input");
  const int along = tensors.front().shape().resolve("concat", axis);
  Tensor y = empty(concatenated_shape(tensors, along), tensors.front().dtype());
  const AroundAxis whole(y.shape(), along);
  const std::size_t item = dtype_size(y.dtype());
  const std::size_t whole_row = static_cast<std::size_t>(whole.size * whole.inner) * item;
  auto* target = static_cast<std::byte*>(write_bytes(y, y.dtype(), "concat"));
  std::vector<std::int64_t> sizes;
  for (const Tensor& x : tensors) {
    sizes.push_back(x.size(along));
    const std::size_t row = static_cast<std::size_t>(sizes.back() * whole.inner) * item;
    copy_rows(bytes_of(x), row, target, whole_row, row, whole.outer);
    target += row;
  }
  record({.name = "concat",
          .inputs = tensors,
          .outputs = {y},
          .saved = {},
          .vjp = [along, sizes = std::move(sizes)](const Backward& backward) {
            return concat_vjp(backward, along, sizes);
          }});
  return y;
}

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  using namespace shape_ops_detail;
  check_defined("slice", x, "the input");
  const int along = x.shape().resolve("slice", axis);
  const AroundAxis whole(x.shape(), along);
  if (begin < 0 || end < begin || end > whole.size) {
    fail("slice: ", begin, " to ", end, " of axis ", along, " of shape ", x.shape(),
         ", 0 <= begin <= end <= ", whole.size, " wanted");
  }
  const Shape shape = x.shape().with(along, end - begin);
  Tensor y;
  if (along == 0) {
    y = share_buffer(x, shape, begin * whole.inner);
  } else {
    y = empty(shape, x.dtype());
    const std::size_t column = static_cast<std::size_t>(whole.inner) * dtype_size(x.dtype());
    const std::size_t row = static_cast<std::size_t>(end - begin) * column;
    copy_rows(bytes_of(x) + static_cast<std::size_t>(begin) * column, static_cast<std::size_t>(whole.size) * column,
              static_cast<std::byte*>(write_bytes(y, x.dtype(), "slice")), row, row, whole.outer);
  }
  record({.name = "slice",
          .inputs = {x},
          .outputs = {y},
          .saved = {},
          .vjp = [along, begin, size = whole.size](const Backward& backward) {
            return std::vector{between_zeros(backward.cotangent(), along, begin, size)};
          }});
  return y;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  using namespace shape_ops_detail;
  check_defined("broadcast_to", x, "the input");
  if (broadcast_shapes("broadcast_to", x.shape(), shape) != shape) {
    fail("broadcast_to: shape ", x.shape(), " does not broadcast to ", shape);
  }
  Tensor y = empty(shape, x.dtype());
  with_type(x.dtype(), [&]<class T>() {
    copy_strided(broadcast_loop<1>(shape, {&x.shape()}), x.data<T>(), write<T>(y, "broadcast_to"));
  });
  record({.name = "broadcast_to",
          .inputs = {x},
          .outputs = {y},
          .saved = {},
          .vjp = [from = x.shape()](const Backward& backward) {
            return std::vector{sum_to(backward.cotangent(), from)};
          }});
  return y;
}

}  // namespace lintel
