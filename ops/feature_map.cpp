#include <algorithm>
#include <cmath>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/feature_map_head.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/softmax.hpp>

namespace lintel {
namespace feature_map_detail {

constexpr std::int64_t block = 128;  // rows whose pre-activations are at hand at once

// ---- Sizes and checks ----

LayerSizes sizes_of(const FeatureMapLayer& layer, std::int64_t heads, std::int64_t in) {
  const bool weighted = layer.weight.defined(), gated = layer.gate.defined(), lowered = layer.down.defined();
  const std::int64_t units = weighted ? layer.weight.size(1) : in, rank = lowered ? layer.down.size(1) : 0;
  const std::int64_t out = makes_pairs(layer.activation) ? 2 * units : units;
  return {heads, in, units, out, weighted, gated, lowered, rank, !gated ? 0 : lowered ? rank : in};
}

std::int64_t parameter_count(const FeatureMapLayer& layer) {
  std::int64_t count = 0;
  for (const Tensor& parameter : parameters_of(layer)) count += parameter.defined() ? parameter.size() : 0;
  return count;
}

std::int64_t parameter_count(const std::vector<FeatureMapLayer>& layers) {
  std::int64_t count = 0;
  for (const FeatureMapLayer& layer : layers) count += parameter_count(layer);
  return count;
}

void check_layer(const char* op, const FeatureMapLayer& layer, const Shape& x, DType type) {
  auto check = [&](const Tensor& parameter, const Shape& wanted, const char* name) {
    check_dtype(op, parameter, type, name);
    if (parameter.shape() == wanted) return;
    fail(op, ": ", name, " has shape ", parameter.shape(), ", ", wanted, " wanted for x ", x);
  };
  if (x.rank() < 2) fail(op, ": x has shape ", x, ", (..., heads, head_dim) wanted");
  if (layer.gate.defined() && makes_pairs(layer.activation)) {
    fail(op, ": an activation that makes pairs of features has no gate");
  }
  const bool has_others =
      layer.bias.defined() || layer.gate.defined() || layer.gate_bias.defined() || layer.down.defined();
  if (!layer.weight.defined() && !has_others) return;
  check_defined(op, layer.weight, "weight");
  if (layer.weight.rank() != 3) fail(op, ": weight has shape ", layer.weight.shape(), ", (heads, out, in) wanted");
  if (layer.down.defined() && layer.down.rank() != 3) {
    fail(op, ": down has shape ", layer.down.shape(), ", (heads, rank, in) wanted");
  }
  const std::int64_t heads = x[x.rank() - 2], in = x[x.rank() - 1], out = layer.weight.size(1);
  check(layer.weight, {heads, out, in}, "weight");
  if (layer.bias.defined()) check(layer.bias, {heads, out}, "bias");
  if (layer.gate_bias.defined()) {
    check_defined(op, layer.gate, "gate");
    check(layer.gate_bias, {heads, out}, "gate_bias");
  }
  if (layer.down.defined()) {
    const std::int64_t rank = layer.down.size(1);
    check(layer.down, {heads, rank, in}, "down");
    check_defined(op, layer.gate, "up");
    check(layer.gate, {heads, out, rank}, "up");
  } else if (layer.gate.defined()) {
    check(layer.gate, {heads, out, in}, "gate");
  }
}

// ---- Forward ----

LayerSizes sizes_for(const FeatureMapLayer& layer, const Tensor& x) { return sizes_of(layer, x.size(-2), x.size(-1)); }

template <class T>
void forward(const char* op, const FeatureMapLayer& layer, const Tensor& x, const Tensor& y) {
  const LayerSizes s = sizes_for(layer, x);
  const std::int64_t rows = leading_size(x.shape(), 2), blocks = (rows + block - 1) / block;
  const std::vector<HeadMap<T>> maps = head_maps<T>({layer}, {s}, s.heads, false);
  const T* input = x.data<T>();
  T* output = write<T>(y, op);
  parallel_for(blocks * s.heads, share_of_task(s.cost() * static_cast<double>(rows), blocks), [&](std::int64_t task) {
    const std::int64_t head = task % s.heads, row = task / s.heads * block, count = std::min(block, rows - row);
    const LayerTrace<T> trace(s, count);
    maps[static_cast<std::size_t>(head)].layers()[0].forward(
        count, Block<const T>{input + head * s.in, s.heads * s.in}.from_row(row), trace,
        Block<T>{output + head * s.out, s.heads * s.out}.from_row(row));
  });
}

// ---- Backward ----

/// Fills dx where it is defined, and returns the sum of the parameters' gradients where `with_parameters`.
/// Tasks are heads of stretches of rows, at most 16 of these: each has its own sums, which are as large as the
/// parameters.
template <class T>
Tensor backward(const char* op, const FeatureMapLayer& layer, const Tensor& x, const Tensor& cotangent,
                const Tensor& dx, bool with_parameters) {
  constexpr std::int64_t most_stretches = 16, fewest_rows = 2048;
  const LayerSizes s = sizes_for(layer, x);
  const std::int64_t rows = leading_size(x.shape(), 2);
  const std::int64_t stretch = std::max(fewest_rows, (rows + most_stretches - 1) / most_stretches);
  const std::int64_t stretches = std::max<std::int64_t>(1, (rows + stretch - 1) / stretch);
  const std::int64_t count = with_parameters ? parameter_count(layer) : 0;
  const std::vector<HeadMap<T>> maps = head_maps<T>({layer}, {s}, s.heads, true);
  const T *input = x.data<T>(), *upstream = cotangent.data<T>();
  T* dinput = dx.defined() ? write<T>(dx, op) : nullptr;
  const Tensor sums = zeros({stretches, count}, dtype_of<T>());
  T* first_sum = write<T>(sums, op);
  const double cost = share_of_task(3 * s.cost() * static_cast<double>(rows), stretches);
  parallel_for(stretches * s.heads, cost, [&](std::int64_t task) {
    const std::int64_t head = task % s.heads, begin = task / s.heads * stretch, end = std::min(rows, begin + stretch);
    const HeadLayer<T>& own = maps[static_cast<std::size_t>(head)].layers()[0];
    const HeadParameters<T> d = head_gradients<T>(layer, head, first_sum + task / s.heads * count);
    const Block<const T> all{input + head * s.in, s.heads * s.in}, g{upstream + head * s.out, s.heads * s.out};
    const LayerTrace<T> trace(s, std::min(block, rows));
    const Scratch<T> values(std::min(block, rows) * s.out);
    const Block<T> y{values, s.out};
    for (std::int64_t row = begin; row < end; row += block) {
      const std::int64_t size = std::min(block, end - row);
      const Block<T> to = dinput ? Block<T>{dinput + head * s.in, s.heads * s.in}.from_row(row) : Block<T>{nullptr, 0};
      own.forward_traced(size, all.from_row(row), trace, y);
      own.backward(size, all.from_row(row), y, g.from_row(row), trace, with_parameters ? &d : nullptr, to);
    }
  });
  return sum_of_blocks<T>(op, sums);
}

std::vector<Tensor> feature_map_vjp(const char* op, const FeatureMapLayer& layer, const Tensor& x, const Backward& b) {
  const std::array<Tensor, 5> parameters = parameters_of(layer);
  std::vector<Tensor> result(1 + parameters.size());
  bool with_parameters = false;
  for (std::size_t i = 1; i < result.size(); ++i) with_parameters |= b.wants(i);
  if (b.wants(0)) result[0] = empty(x.shape(), x.dtype());
  const Tensor gradients = with_float_type(
      op, x.dtype(), [&]<class T>() { return backward<T>(op, layer, x, b.cotangent(), result[0], with_parameters); });
  std::int64_t first = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (b.wants(i + 1)) result[i + 1] = share_buffer(gradients, parameters[i].shape(), first);
    if (parameters[i].defined()) first += parameters[i].size();
  }
  return result;
}

// ---- Definition ----

/// W x + b for each head: x (…, H, in), weight (H, out, in), bias (H, out) or absent → (rows, H, out).
Tensor affine(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::int64_t heads = weight.size(0), in = weight.size(2);
  const std::int64_t rows = leading_size(x.shape(), 2);
  const Tensor by_head = permute(reshape(x, {rows, heads, in}), {1, 0, 2});
  const Tensor result = permute(matmul(by_head, weight, {.transpose_b = true}), {1, 0, 2});
  return bias.defined() ? result + bias : result;
}

/// e^(±w − shift)/√(2d) for w = u/d^¼: see `FeatureActivation`.
Tensor favor_definition(const Tensor& u, bool is_query) {
  const auto d = static_cast<double>(u.size(-1));
  const Tensor w = u * std::pow(d, -0.25);
  const Tensor both = concat({w, -w}, -1);
  const Tensor exponents = is_query ? both - max(both, {-1}, true)
                                    : minimum(both - sum(square(w), {-1}, true) * (0.5 / d), largest_favor_exponent);
  return exp(exponents) * (1 / std::sqrt(2 * d));
}

Tensor activation_definition(FeatureActivation f, const Tensor& u) {
  using enum FeatureActivation;
  // clang-format off
  switch (f) {
    case none: return u;
    case softplus: return lintel::softplus(u);
    case sharp_softplus: return lintel::softplus(u * sharp_softplus_beta) * (1 / sharp_softplus_beta);
    case gelu: return lintel::gelu(u);
    case elu_plus_one: return elu(u) + 1;
    case relu: return lintel::relu(u);
    case softmax_pair: return concat({softmax(u), softmax(-u)}, -1);
    default: return favor_definition(u, f == favor_query);
  }
  // clang-format on
}

Tensor layer_definition(const FeatureMapLayer& layer, const Tensor& x) {
  const LayerSizes s = sizes_for(layer, x);
  const std::int64_t rows = leading_size(x.shape(), 2);
  const Tensor u = s.weighted ? affine(x, layer.weight, layer.bias) : reshape(x, {rows, s.heads, s.in});
  // The largest of no numbers does not exist.
  if (u.size() == 0 && makes_pairs(layer.activation)) return zeros(x.shape().with(-1, s.out), x.dtype());
  Tensor y = activation_definition(layer.activation, u);
  if (layer.gate.defined()) {
    const Tensor gate_input = layer.down.defined() ? affine(x, layer.down, Tensor()) : x;
    y = y * sigmoid(affine(gate_input, layer.gate, layer.gate_bias));
  }
  return reshape(y, x.shape().with(-1, s.out));
}

// ---- The op ----

Tensor apply(const char* op, const Tensor& x, const FeatureMapLayer& layer) {
  check_defined(op, x, "x");
  check_layer(op, layer, x.shape(), x.dtype());
  const LayerSizes s = sizes_for(layer, x);
  Tensor y = empty(x.shape().with(-1, s.out), x.dtype());
  with_float_type(op, x.dtype(), [&]<class T>() { forward<T>(op, layer, x, y); });
  const std::vector<Tensor> inputs{x, layer.weight, layer.bias, layer.gate, layer.gate_bias, layer.down};
  record({.name = op,
          .inputs = inputs,
          .outputs = {y},
          .saved = inputs,
          .vjp =
              [op, activation = layer.activation](const Backward& b) {
                return feature_map_vjp(op, {activation, b.saved(1), b.saved(2), b.saved(3), b.saved(4), b.saved(5)},
                                       b.saved(0), b);
              },
          .flops = product_flops(leading_size(x.shape(), 2), s.heads, s.multiply_adds()),
          .recomputed_flops = product_flops(leading_size(x.shape(), 2), s.heads, s.multiply_adds()),
          .definition =
              [activation = layer.activation](const std::vector<Tensor>& in) {
                return std::vector{layer_definition({activation, in[1], in[2], in[3], in[4], in[5]}, in[0])};
              }});
  return y;
}

}  // namespace feature_map_detail

Tensor feature_map_activation(const Tensor& x, FeatureActivation activation) {
  return feature_map_detail::apply("feature_map_activation", x, {activation, {}, {}, {}, {}, {}});
}

Tensor feature_map_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, FeatureActivation activation) {
  check_defined("feature_map_linear", weight, "weight");
  return feature_map_detail::apply("feature_map_linear", x, {activation, weight, bias, {}, {}, {}});
}

Tensor feature_map_glu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& gate,
                       const Tensor& gate_bias, FeatureActivation activation) {
  check_defined("feature_map_glu", gate, "gate");
  return feature_map_detail::apply("feature_map_glu", x, {activation, weight, bias, gate, gate_bias, {}});
}

Tensor feature_map_lowrank_glu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& down,
                               const Tensor& up, FeatureActivation activation) {
  check_defined("feature_map_lowrank_glu", down, "down");
  return feature_map_detail::apply("feature_map_lowrank_glu", x, {activation, weight, bias, up, {}, down});
}

Tensor FeatureMapLayer::operator()(const Tensor& x) const {
  if (down.defined()) return feature_map_lowrank_glu(x, weight, bias, down, gate, activation);
  if (gate.defined()) return feature_map_glu(x, weight, bias, gate, gate_bias, activation);
  if (!weight.defined()) return feature_map_activation(x, activation);
  return feature_map_linear(x, weight, bias, activation);
}

}  // namespace lintel
