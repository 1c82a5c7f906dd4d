#include <algorithm>
#include <utility>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/index.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {
namespace index_detail {

constexpr std::int64_t block = 1 << 14;    // elements of one parallel task
constexpr std::int64_t column_block = 64;  // columns of one task where a few rows of a table have most of the sums

void check_ids(const char* op, const Tensor& ids, std::int64_t bound, const char* what) {
  const std::int64_t* values = ids.data<std::int64_t>();
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    if (values[i] < 0 || values[i] >= bound) {
      fail(op, ": ", what, " ", values[i], " at position ", i, " is outside [0, ", bound, ")");
    }
  }
}

/// `shape` with one more axis behind it.
Shape with_last_axis(const char* op, const Shape& shape, std::int64_t size) {
  if (shape.rank() == Shape::max_rank) fail(op, ": ids of shape ", shape, " leave no room for one more axis");
  std::array<std::int64_t, Shape::max_rank> sizes{};
  std::copy(shape.begin(), shape.end(), sizes.begin());
  sizes[static_cast<std::size_t>(shape.rank())] = size;
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(shape.rank()) + 1));
}

// ---- Rows of a table -----------------------------------------------------------------------------------------------

template <class T>
void take_rows(const Tensor& table, const Tensor& ids, const Tensor& rows) {
  const std::int64_t width = table.size(1);
  const T* from = table.data<T>();
  const std::int64_t* id = ids.data<std::int64_t>();
  T* to = write<T>(rows, "embedding");
  const std::int64_t rows_of_task = std::max<std::int64_t>(1, block / std::max<std::int64_t>(1, width));
  parallel_blocks(ids.size(), rows_of_task, static_cast<double>(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::copy_n(from + id[i] * width, width, to + i * width);
  });
}

/// For every row of a table the positions that name it, in their order: of row r
/// positions[ends[r − 1]] … positions[ends[r] − 1].
struct PositionsOfRows {
  std::vector<std::int64_t> ends, positions;

  PositionsOfRows(const Tensor& ids, std::int64_t rows)
      : ends(static_cast<std::size_t>(rows)), positions(static_cast<std::size_t>(ids.size())) {
    const std::int64_t* id = ids.data<std::int64_t>();
    for (std::int64_t i = 0; i < ids.size(); ++i) ++ends[static_cast<std::size_t>(id[i])];
    std::int64_t sum = 0;
    for (std::int64_t& end : ends) sum += std::exchange(end, sum);  // first where the row begins
    for (std::int64_t i = 0; i < ids.size(); ++i) {
      positions[static_cast<std::size_t>(ends[static_cast<std::size_t>(id[i])]++)] = i;
    }
  }

  std::int64_t begin(std::int64_t row) const { return row == 0 ? 0 : ends[static_cast<std::size_t>(row - 1)]; }
  std::int64_t end(std::int64_t row) const { return ends[static_cast<std::size_t>(row)]; }
};

/// A rectangle of a table.
struct Part {
  std::int64_t first_row, last_row, first_column, last_column;
};

/// Cuts a table into tasks of about equal work: rows are taken together until they have enough of it, and cut into
/// columns where they have too much. Every element is summed in one task, in the order of the positions.
std::vector<Part> parts_of_table(const PositionsOfRows& where, std::int64_t rows, std::int64_t width) {
  const std::int64_t enough = std::max<std::int64_t>(1, block / std::max<std::int64_t>(1, width));
  std::vector<Part> parts;
  for (std::int64_t first = 0; first < rows;) {
    std::int64_t last = first, work = 0;
    for (; last < rows && work < enough; ++last) work += 1 + where.end(last) - where.begin(last);
    const std::int64_t columns = work < 4 * enough ? std::max<std::int64_t>(1, width) : column_block;
    for (std::int64_t column = 0; column < width; column += columns) {
      parts.push_back({first, last, column, std::min(width, column + columns)});
    }
    first = last;
  }
  return parts;
}

/// Writes every row of the table once: the sum of the rows whose id it is, or zeros.
template <class T>
void sum_rows(const Tensor& rows, const Tensor& ids, const Tensor& table) {
  const auto add_into = active_kernels<T>().add_into;
  const std::int64_t width = table.size(1);
  const T* from = rows.data<T>();
  T* to = write<T>(table, "embedding");
  const PositionsOfRows where(ids, table.size(0));
  const std::vector<Part> parts = parts_of_table(where, table.size(0), width);
  parallel_for(static_cast<std::int64_t>(parts.size()), static_cast<double>(block), [&](std::int64_t index) {
    const Part& part = parts[static_cast<std::size_t>(index)];
    const std::int64_t count = part.last_column - part.first_column;
    for (std::int64_t row = part.first_row; row < part.last_row; ++row) {
      T* sum = to + row * width + part.first_column;
      std::fill_n(sum, count, T(0));
      for (std::int64_t i = where.begin(row); i < where.end(row); ++i) {
        add_into(from + where.positions[static_cast<std::size_t>(i)] * width + part.first_column, sum, count);
      }
    }
  });
}

/// The adjoint of `embedding`: a table of `count` rows, row v the sum of the rows whose id is v.
Tensor scatter_rows(const Tensor& rows, const Tensor& ids, std::int64_t count) {
  Tensor table = empty({count, rows.size(-1)}, rows.dtype());
  with_float_type("embedding", rows.dtype(), [&]<class T>() { sum_rows<T>(rows, ids, table); });
  record({.name = "scatter_rows",
          .inputs = {rows},
          .outputs = {table},
          .saved = {ids},
          .vjp = [](const Backward& backward) {
            return std::vector{embedding(backward.cotangent(), backward.saved(0))};
          }});
  return table;
}

// ---- Positions along an axis ---------------------------------------------------------------------------------------

/// Calls `body(position, picked)` for every position of an index along `axis` of x and the element it names, for one of
/// the places beside the axis after the other; places are divided among tasks.
template <class Body>
void for_each_picked(const Shape& shape, int axis, const Tensor& index, Body body) {
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  const std::int64_t size = shape[axis], picks = index.size(axis);
  const std::int64_t* picked = index.data<std::int64_t>();
  const std::int64_t places_of_task = std::max<std::int64_t>(1, block / std::max<std::int64_t>(1, picks));
  parallel_blocks(outer * inner, places_of_task, 2 * static_cast<double>(picks),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t place = begin; place < end; ++place) {
                      const std::int64_t o = place / inner, j = place % inner;
                      for (std::int64_t i = 0; i < picks; ++i) {
                        const std::int64_t position = (o * picks + i) * inner + j;
                        body(position, (o * size + picked[position]) * inner + j);
                      }
                    }
                  });
}

/// The adjoint of `gather`: zeros of `shape`, to which each element of `x` is added where its index points.
Tensor scatter_along(const Tensor& x, int axis, const Tensor& index, const Shape& shape) {
  Tensor result = zeros(shape, x.dtype());
  with_float_type("gather", x.dtype(), [&]<class T>() {
    const T* from = x.data<T>();
    T* to = write<T>(result, "gather");
    for_each_picked(shape, axis, index,
                    [=](std::int64_t position, std::int64_t picked) { to[picked] += from[position]; });
  });
  record({.name = "scatter_along",
          .inputs = {x},
          .outputs = {result},
          .saved = {index},
          .vjp = [axis](const Backward& backward) {
            return std::vector{gather(backward.cotangent(), axis, backward.saved(0))};
          }});
  return result;
}

}  // namespace index_detail

Tensor embedding(const Tensor& table, const Tensor& ids) {
  using namespace index_detail;
  check_defined("embedding", table, "the table");
  check_dtype("embedding", ids, DType::int64, "ids");
  if (table.rank() != 2) fail("embedding: table has shape ", table.shape(), ", (rows, width) wanted");
  check_ids("embedding", ids, table.size(0), "id");
  Tensor rows = empty(with_last_axis("embedding", ids.shape(), table.size(1)), table.dtype());
  with_float_type("embedding", table.dtype(), [&]<class T>() { take_rows<T>(table, ids, rows); });
  record({.name = "embedding",
          .inputs = {table},
          .outputs = {rows},
          .saved = {ids},
          .vjp = [count = table.size(0)](const Backward& backward) {
            return std::vector{scatter_rows(backward.cotangent(), backward.saved(0), count)};
          }});
  return rows;
}

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  using namespace index_detail;
  check_defined("gather", x, "the input");
  check_dtype("gather", index, DType::int64, "index");
  const int along = x.shape().resolve("gather", axis);
  if (index.rank() != x.rank() || index.shape().with(along, x.size(along)) != x.shape()) {
    fail("gather: index has shape ", index.shape(), ", that of x, ", x.shape(), ", wanted beside axis ", along);
  }
  check_ids("gather", index, x.size(along), "index");
  Tensor y = empty(index.shape(), x.dtype());
  with_type(x.dtype(), [&]<class T>() {
    const T* from = x.data<T>();
    T* to = write<T>(y, "gather");
    for_each_picked(x.shape(), along, index,
                    [=](std::int64_t position, std::int64_t picked) { to[position] = from[picked]; });
  });
  record({.name = "gather",
          .inputs = {x},
          .outputs = {y},
          .saved = {index},
          .vjp = [along, shape = x.shape()](const Backward& backward) {
            return std::vector{scatter_along(backward.cotangent(), along, backward.saved(0), shape)};
          }});
  return y;
}

Tensor one_hot(const Tensor& ids, std::int64_t classes, DType dtype) {
  using namespace index_detail;
  check_dtype("one_hot", ids, DType::int64, "ids");
  if (classes < 0) fail("one_hot: ", classes, " classes, at least 0 wanted");
  check_ids("one_hot", ids, classes, "id");
  Tensor result = zeros(with_last_axis("one_hot", ids.shape(), classes), dtype);
  with_type(dtype, [&]<class T>() {
    const std::int64_t* id = ids.data<std::int64_t>();
    T* rows = write<T>(result, "one_hot");
    for (std::int64_t i = 0; i < ids.size(); ++i) rows[i * classes + id[i]] = T(1);
  });
  return result;
}

}  // namespace lintel
