#include <algorithm>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/ops/attention_inputs.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/short_convolution.hpp>

namespace lintel {
namespace short_convolution_detail {

constexpr const char* op = "short_convolution";

void check_inputs(const Tensor& x, const Tensor& weight, const Sequences& sequences) {
  const Rows rows = rows_of(op, x, "x");
  check_dtype(op, weight, x.dtype(), "weight");
  if (weight.rank() != 2 || weight.size(0) < 1 || weight.size(1) != rows.columns) {
    fail(op, ": weight has shape ", weight.shape(), ", (width, ", rows.columns, ") wanted");
  }
  if (leading_size(x.shape(), 1) != sequences.rows()) {
    fail(op, ": x ", x.shape(), " has ", leading_size(x.shape(), 1), " rows, the sequences ", sequences.rows());
  }
}

/// Where a row stands: how many rows of its sequence are before it and behind it.
struct Place {
  std::int64_t before, behind;
};

/// That of every row; {-1, -1} outside every sequence.
std::vector<Place> places_of(const Sequences& sequences) {
  std::vector<Place> places(static_cast<std::size_t>(sequences.rows()), Place{-1, -1});
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    for (std::int64_t row = 0; row < sequences.length(i); ++row) {
      places[static_cast<std::size_t>(sequences.begin(i) + row)] = {row, sequences.length(i) - 1 - row};
    }
  }
  return places;
}

double cost_of(const Tensor& weight) { return static_cast<double>(weight.size(0)) / 4; }

/// The convolution, or with `backwards` its adjoint: Σ_j weight_j ⊙ x_t+j.
template <class T>
void convolve(const Tensor& x, const Tensor& weight, const Sequences& sequences, bool backwards, const Tensor& y) {
  const std::int64_t width = weight.size(0), columns = weight.size(1);
  const std::vector<Place> places = places_of(sequences);
  const T *input = x.data<T>(), *taps = weight.data<T>();
  T* output = write<T>(y, op);
  for_row_blocks({sequences.rows(), columns}, cost_of(weight), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const Place place = places[static_cast<std::size_t>(row)];
      const std::int64_t reach = (backwards ? place.behind : place.before) + 1;
      active_kernels<T>().weigh_rows(input + row * columns, backwards ? columns : -columns, taps,
                                     output + row * columns, std::min(width, reach), columns);
    }
  });
}

/// dweight_j = Σ_t g_t ⊙ x_t−j.
template <class T>
Tensor weight_gradient(const Tensor& g, const Tensor& x, const Tensor& weight, const Sequences& sequences) {
  const std::int64_t width = weight.size(0), columns = weight.size(1);
  const std::vector<Place> places = places_of(sequences);
  const T *upstream = g.data<T>(), *input = x.data<T>();
  const auto add_rows = [&](std::int64_t begin, std::int64_t end, T* sums) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t taps = std::min(width, places[static_cast<std::size_t>(row)].before + 1);
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        active_kernels<T>().add_products(upstream + row * columns, input + (row - tap) * columns, sums + tap * columns,
                                         columns);
      }
    }
  };
  const double cost = cost_of(weight) * static_cast<double>(columns);
  const Tensor sums = sum_of_row_blocks<T>(op, sequences.rows(), weight.size(), cost, add_rows);
  return share_buffer(sums, weight.shape());
}

std::vector<Tensor> short_convolution_vjp(const Sequences& sequences, const Backward& b) {
  const Tensor x = b.saved(0), weight = b.saved(1);
  std::vector<Tensor> result(2);
  with_float_type(op, x.dtype(), [&]<class T>() {
    if (b.wants(0)) {
      result[0] = empty(x.shape(), x.dtype());
      convolve<T>(b.cotangent(), weight, sequences, true, result[0]);
    }
    if (b.wants(1)) result[1] = weight_gradient<T>(b.cotangent(), x, weight, sequences);
  });
  return result;
}

/// Each sequence by itself: the sum of its shifted copies, weighed.
Tensor definition(const Tensor& x, const Tensor& weight, const Sequences& sequences) {
  const std::int64_t columns = weight.size(1);
  const Tensor rows = reshape(x, {sequences.rows(), columns});
  std::vector<Tensor> parts;
  std::int64_t done = 0;
  const auto fill_to = [&](std::int64_t row) {
    if (row > done) parts.push_back(zeros({row - done, columns}, x.dtype()));
  };
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const std::int64_t begin = sequences.begin(i), length = sequences.length(i);
    if (length == 0) continue;
    fill_to(begin);
    Tensor sum = slice(rows, 0, begin, begin + length) * slice(weight, 0, 0, 1);
    for (std::int64_t tap = 1; tap < std::min(weight.size(0), length); ++tap) {
      const Tensor earlier = slice(rows, 0, begin, begin + length - tap) * slice(weight, 0, tap, tap + 1);
      sum = sum + concat({zeros({tap, columns}, x.dtype()), earlier}, 0);
    }
    parts.push_back(sum);
    done = begin + length;
  }
  fill_to(sequences.rows());
  return reshape(parts.empty() ? rows * 0.0 : concat(parts, 0), x.shape());
}

}  // namespace short_convolution_detail

Tensor short_convolution(const Tensor& x, const Tensor& weight, const Sequences& sequences) {
  using namespace short_convolution_detail;
  check_inputs(x, weight, sequences);
  Tensor y = empty(x.shape(), x.dtype());
  with_float_type(op, x.dtype(), [&]<class T>() { convolve<T>(x, weight, sequences, false, y); });
  record({.name = op,
          .inputs = {x, weight},
          .outputs = {y},
          .saved = {x, weight},
          .vjp = [sequences](const Backward& b) { return short_convolution_vjp(sequences, b); },
          .definition =
              [sequences](const std::vector<Tensor>& inputs) {
                return std::vector{definition(inputs[0], inputs[1], sequences)};
              }});
  return y;
}

}  // namespace lintel
