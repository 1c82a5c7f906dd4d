// The list of all rows, and the inputs they are made of.
#include "op_table.hpp"

#include <algorithm>
#include <utility>

#include <lintel/core/error.hpp>

namespace lintel::op_table {

namespace {

/// How many random numbers a tensor needs at most: a prime, so that the repetition fits no cut of the work.
constexpr std::int64_t period = 4099;

/// A tensor of `shape` with the elements of `values` again and again.
Tensor repeated(const Shape& shape, const Tensor& values) {
  Tensor result = empty(shape, values.dtype());
  float* elements = write<float>(result, "repeated");
  for (std::int64_t i = 0; i < shape.size(); ++i) elements[i] = values.data<float>()[i % values.size()];
  return result;
}

/// float32 values in the asked type.
Tensor as_floating(const Tensor& values, DType floating) {
  return floating == values.dtype() ? values : convert(values, floating);
}

/// The rows of every file. A list spelt out, since a linker may drop what registers itself.
std::vector<OpRow> collect_rows() {
  using RowsOfFile = std::vector<OpRow> (*)();
  constexpr RowsOfFile files[] = {
      rows_of_cross_entropy,
      rows_of_dropout,
      rows_of_elementwise,
      rows_of_feature_map,
      rows_of_feed_forward,
      rows_of_index,
      rows_of_kernel_attention,
      rows_of_layer_norm,
      rows_of_linear,
      rows_of_linear_cross_entropy,
      rows_of_matmul,
      rows_of_mse,
      rows_of_projections,
      rows_of_reduce,
      rows_of_rms_norm,
      rows_of_rotary,
      rows_of_sequences,
      rows_of_shape_ops,
      rows_of_short_convolution,
      rows_of_softmax,
      rows_of_softmax_attention,
  };
  std::vector<OpRow> rows;
  for (const RowsOfFile rows_of_file : files) {
    for (OpRow& row : rows_of_file()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Input normal_input(const Shape& shape, double mean, double standard_deviation) {
  return [=](DType floating, Rng& rng) {
    const Tensor values = normal({std::min(shape.size(), period)}, mean, standard_deviation, rng);
    return as_floating(repeated(shape, values), floating);
  };
}

Input uniform_input(const Shape& shape, double low, double high) {
  return [=](DType floating, Rng& rng) {
    const Tensor values = uniform({std::min(shape.size(), period)}, low, high, rng);
    return as_floating(repeated(shape, values), floating);
  };
}

Input spaced_input(const Shape& shape) {
  return [=](DType floating, Rng& rng) {
    const std::int64_t size = shape.size();
    std::vector<float> values(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i) {
      values[static_cast<std::size_t>(i)] = 0.1f * (static_cast<float>(i - size / 2) + 0.5f);
    }
    for (std::int64_t i = size - 1; i > 0; --i) {
      std::swap(values[static_cast<std::size_t>(i)], values[static_cast<std::size_t>(rng.below(i + 1))]);
    }
    return as_floating(Tensor(shape, values), floating);
  };
}

Input index_input(const Shape& shape, std::int64_t bound) {
  return [=](DType, Rng& rng) {
    Tensor result = empty(shape, DType::int64);
    std::int64_t* ids = write<std::int64_t>(result, "index_input");
    for (std::int64_t i = 0; i < shape.size(); ++i) ids[i] = rng.below(bound);
    return result;
  };
}

Input mask_input(const Shape& shape) {
  return [=](DType, Rng& rng) {
    Tensor result = empty(shape, DType::boolean);
    bool* mask = write<bool>(result, "mask_input");
    for (std::int64_t i = 0; i < shape.size(); ++i) mask[i] = rng.below(2) == 1;
    return result;
  };
}

Input given_input(const Tensor& value) {
  return [=](DType floating, Rng&) { return is_floating(value.dtype()) ? as_floating(value, floating) : value; };
}

Input absent_input() {
  return [](DType, Rng&) { return Tensor(); };
}

std::string label(const OpRow& row) { return row.variant.empty() ? row.op : row.op + " (" + row.variant + ")"; }

Tensors draw(const Sample& sample, DType floating) {
  Rng rng(20221109);
  Tensors inputs;
  for (const Input& input : sample) inputs.push_back(input(floating, rng));
  return inputs;
}

const std::vector<OpRow>& all_rows() {
  static const std::vector<OpRow> rows = collect_rows();
  return rows;
}

}  // namespace lintel::op_table
