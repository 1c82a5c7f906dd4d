// The op table: one row tests an op.
//
// How to add a row
//   1. In tests/op_rows_<stem>.cpp, <stem> being that of the op's files, write the function `rows_of_<stem>`:
//
//        std::vector<OpRow> rows_of_layer_norm() {
//          return {{.op = "layer_norm",
//                   .call = [](const Tensors& x) { return layer_norm(x[0], x[1], x[2], 1e-5); },
//                   .samples = {{normal_input({5, 7}), normal_input({7}), normal_input({7})},
//                               {normal_input({0, 7}), normal_input({7}), normal_input({7})}},
//                   .large = {normal_input({1000, 64}), normal_input({64}), normal_input({64})},
//                   .fused = true,
//                   .errors = {{"layer_norm: weight has shape (6,), (7,) wanted",
//                               [] { layer_norm(zeros({5, 7}), zeros({6}), zeros({7}), 1e-5); }}}}};
//        }
//
//   2. Declare it at the end of this file and add it to the list in tests/op_table.cpp.
//   3. Add the new file to tests/CMakeLists.txt.
//
// An op may have several rows (`variant` tells them apart), and every function that ops/*.hpp exports must have one.
// From each row tests/ops_table_test.cpp runs:
//   value      equal to `reference`, if given; float32 equal to float64; the same bits for an unaligned input
//   gradient   against finite differences in float64, first order and second order; float32 equal to float64
//   fused      value and vjp equal to the definition that the op put on the tape; an op that is not fused has none,
//              but its vjp must also agree with what it does under an outer tape
//   threads    `large` gives the same bits, value and gradients, for 1, 2 and 7 threads, and 7 threads did run
//   special    a NaN in any element of any input reaches the output; an infinity does the same in both float types
//   sets       every available instruction set agrees with the baseline
//   errors     each call throws an `Error` of exactly that sentence; an undefined input is an `Error`, not a crash
// Put empty and odd shapes (0, 1, 17, 33, …) into `samples`; keep these small, finite differences visit every element.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <lintel/core/random.hpp>
#include <lintel/core/tensor.hpp>

namespace lintel::op_table {

using Tensors = std::vector<Tensor>;

/// Draws one input of an op. Floating inputs come in the asked type and hold the same values, which a float32 can
/// represent, in either; inputs of integers and masks are what they are.
using Input = std::function<Tensor(DType floating, Rng& rng)>;

/// All inputs of one call.
using Sample = std::vector<Input>;

/// Normal numbers; a large tensor repeats the first few thousand.
Input normal_input(const Shape& shape, double mean = 0, double standard_deviation = 1);
/// Uniform numbers in [low, high), repeated in the same way.
Input uniform_input(const Shape& shape, double low, double high);
/// The numbers …, −0.15, −0.05, 0.05, 0.15, … in random order: no two are equal and none is 0, so that finite
/// differences never step over the kink of relu, maximum or max.
Input spaced_input(const Shape& shape);
/// Uniform integers in [0, bound), int64.
Input index_input(const Shape& shape, std::int64_t bound);
/// True or false with equal chances, bool.
Input mask_input(const Shape& shape);
/// `value` as it is; a floating one, of values that a float32 can represent, converted to the asked type.
Input given_input(const Tensor& value);
/// No tensor: an optional input that is absent.
Input absent_input();

/// |a − b| ≤ absolute + relative·|b| for every element; equal infinities and two NaNs agree.
struct Tolerance {
  double absolute = 1e-5;
  double relative = 1e-4;
};

/// A wrong call and what it must say.
struct ErrorCase {
  std::string sentence;
  std::function<void()> call;
};

struct OpRow {
  /// The exported function, spelt as in its header.
  std::string op;
  /// What is special about this row, for people; empty for the plain form.
  std::string variant = "";
  /// Applies the op.
  std::function<Tensor(const Tensors& inputs)> call = nullptr;
  /// Small inputs, for finite differences; the first one also carries the NaN and the infinity.
  std::vector<Sample> samples = {};
  /// An input that is worth seven threads, or empty: no test of threads.
  Sample large = {};
  /// Whether seven threads must have run on `large`, at the end of the forward or of the backward pass (false for ops
  /// that only rename a buffer).
  bool parallel = true;
  /// Whether the op carries a definition.
  bool fused = false;
  /// The same value computed otherwise, in float64 (plain loops, the standard library's functions).
  std::function<Tensor(const Tensors& inputs)> reference = nullptr;
  bool twice_differentiable = true;
  /// Inputs that may be absent.
  std::vector<std::size_t> optional_inputs = {};
  /// Inputs whose NaN need not show in the output.
  std::vector<std::size_t> nan_may_vanish = {};
  /// How far float32 may be from float64, and one instruction set from another in float32.
  Tolerance float32_tolerance = {};
  /// How far float64 may be from the reference, the definition, and another instruction set.
  Tolerance float64_tolerance = {1e-9, 1e-9};
  std::vector<ErrorCase> errors = {};
};

/// The op and the variant of `row`.
std::string label(const OpRow& row);

/// Draws `sample`, the same numbers at every call.
Tensors draw(const Sample& sample, DType floating);

/// Every row.
const std::vector<OpRow>& all_rows();

std::vector<OpRow> rows_of_cross_entropy();
std::vector<OpRow> rows_of_dropout();
std::vector<OpRow> rows_of_elementwise();
std::vector<OpRow> rows_of_feature_map();
std::vector<OpRow> rows_of_feed_forward();
std::vector<OpRow> rows_of_index();
std::vector<OpRow> rows_of_kernel_attention();
std::vector<OpRow> rows_of_layer_norm();
std::vector<OpRow> rows_of_linear();
std::vector<OpRow> rows_of_linear_cross_entropy();
std::vector<OpRow> rows_of_matmul();
std::vector<OpRow> rows_of_mse();
std::vector<OpRow> rows_of_projections();
std::vector<OpRow> rows_of_reduce();
std::vector<OpRow> rows_of_rms_norm();
std::vector<OpRow> rows_of_rotary();
std::vector<OpRow> rows_of_sequences();
std::vector<OpRow> rows_of_shape_ops();
std::vector<OpRow> rows_of_short_convolution();
std::vector<OpRow> rows_of_softmax();
std::vector<OpRow> rows_of_softmax_attention();

}  // namespace lintel::op_table
