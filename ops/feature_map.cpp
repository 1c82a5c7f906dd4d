// All three layers are one: f(W x + b) ⊙ σ(G y + c) with y = x, or y = A x where `down` is given, or without a gate.
#include <algorithm>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/scratch.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {
namespace feature_map_detail {

constexpr std::int64_t block = 128;  // rows whose pre-activations are at hand at once

/// The inputs of a layer, in the order in which tapes see them; absent ones are undefined.
struct Layer {
  const char* op;
  FeatureActivation activation;
  Tensor x, weight, bias, gate, gate_bias, down;

  std::vector<Tensor> inputs() const { return {x, weight, bias, gate, gate_bias, down}; }
};

struct Sizes {
  std::int64_t rows, heads, in, out;
  bool gated, lowered;   // whether there is a gate, and whether it reads A x
  std::int64_t rank;     // of A x, 0 without it
  std::int64_t gate_in;  // of what the gate reads: in, or rank, or 0 without a gate
};

Sizes sizes_of(const Layer& layer) {
  const std::int64_t heads = layer.x.size(-2), in = layer.x.size(-1), out = layer.weight.size(1);
  const bool gated = layer.gate.defined(), lowered = layer.down.defined();
  const std::int64_t rank = lowered ? layer.down.size(1) : 0;
  return {leading_size(layer.x.shape(), 2), heads, in, out, gated, lowered, rank, !gated ? 0 : lowered ? rank : in};
}

// ---- Check ----

void check_shape(const Layer& layer, const Tensor& parameter, const Shape& wanted, const char* name) {
  check_dtype(layer.op, parameter, layer.x.dtype(), name);
  if (parameter.shape() != wanted) {
    fail(layer.op, ": ", name, " has shape ", parameter.shape(), ", ", wanted, " wanted for x ", layer.x.shape());
  }
}

void check_layer(const Layer& layer) {
  check_defined(layer.op, layer.x, "x");
  if (layer.x.rank() < 2) fail(layer.op, ": x has shape ", layer.x.shape(), ", (..., heads, head_dim) wanted");
  check_defined(layer.op, layer.weight, "weight");
  if (layer.weight.rank() != 3)
    fail(layer.op, ": weight has shape ", layer.weight.shape(), ", (heads, out, in) wanted");
  const Sizes sizes = sizes_of(layer);
  check_shape(layer, layer.weight, {sizes.heads, sizes.out, sizes.in}, "weight");
  if (layer.bias.defined()) check_shape(layer, layer.bias, {sizes.heads, sizes.out}, "bias");
  if (layer.gate_bias.defined()) check_shape(layer, layer.gate_bias, {sizes.heads, sizes.out}, "gate_bias");
  if (layer.down.defined()) {
    check_shape(layer, layer.down, {sizes.heads, sizes.rank, sizes.in}, "down");
    check_shape(layer, layer.gate, {sizes.heads, sizes.out, sizes.rank}, "up");
  } else if (layer.gate.defined()) {
    check_shape(layer, layer.gate, {sizes.heads, sizes.out, sizes.in}, "gate");
  }
}

// ---- Forward ----

/// Where the parameters of one head, or their gradients, begin; null where absent.
template <class T>
struct HeadParameters {
  T *weight, *bias, *gate, *gate_bias, *down;
};

/// `first_of(parameter)` is asked, in the order of the members, where the elements of all heads begin.
template <class T, class FirstOf>
HeadParameters<T> parameters_of(const Layer& layer, const Sizes& s, std::int64_t head, FirstOf first_of) {
  auto part = [&](const Tensor& parameter, std::int64_t size) {
    return parameter.defined() ? first_of(parameter) + head * size : nullptr;
  };
  return {part(layer.weight, s.out * s.in), part(layer.bias, s.out), part(layer.gate, s.out * s.gate_in),
          part(layer.gate_bias, s.out), part(layer.down, s.rank * s.in)};
}

template <class T>
HeadParameters<const T> values_of(const Layer& layer, const Sizes& s, std::int64_t head) {
  return parameters_of<const T>(layer, s, head, [](const Tensor& parameter) { return parameter.data<T>(); });
}

/// The buffers of one task: `low` = A x, `u` and `t` the pre-activations of the value and the gate.
template <class T>
struct Buffers {
  Scratch<T> u, t, low;

  explicit Buffers(const Sizes& s) : u(block * s.out), t(s.gated ? block * s.out : 0), low(block * s.rank) {}
};

/// Fills u, and low and t where there is a gate.
template <class T>
void pre_activations(const HeadParameters<const T>& p, const Sizes& s, std::int64_t rows, Block<const T> x, Block<T> u,
                     const Buffers<T>& buffers) {
  apply_weight<T>(rows, s.out, s.in, x, {p.weight, s.in}, p.bias, u);
  if (!s.gated) return;
  if (s.lowered) apply_weight<T>(rows, s.rank, s.in, x, {p.down, s.in}, nullptr, {buffers.low, s.rank});
  const Block<const T> gate_input = s.lowered ? Block<const T>{buffers.low, s.rank} : x;
  apply_weight<T>(rows, s.out, s.gate_in, gate_input, {p.gate, s.gate_in}, p.gate_bias, {buffers.t, s.out});
}

/// Operations of one row of one head.
double cost_of(const Sizes& s) {
  return static_cast<double>(s.out * (s.in + s.gate_in) + s.rank * s.in + 20 * s.out) / 8;
}

double flops_of(const Sizes& s) {
  const std::int64_t multiply_adds_of_row = s.out * (s.in + s.gate_in) + s.rank * s.in;
  return product_flops(s.rows, s.heads, multiply_adds_of_row);
}

template <class T>
void forward(const Layer& layer, const Sizes& s, const Tensor& y) {
  const T* input = layer.x.data<T>();
  T* output = write<T>(y, layer.op);
  const std::int64_t blocks = (s.rows + block - 1) / block;
  parallel_for(blocks * s.heads, cost_of(s) * block, [&](std::int64_t task) {
    const std::int64_t head = task % s.heads, row = task / s.heads * block, rows = std::min(block, s.rows - row);
    const Block<const T> x = Block<const T>{input + head * s.in, s.heads * s.in}.from_row(row);
    const Block<T> result = Block<T>{output + head * s.out, s.heads * s.out}.from_row(row);
    const HeadParameters<const T> p = values_of<T>(layer, s, head);
    const Buffers<T> buffers(s);
    const Block<T> u = s.gated ? Block<T>{buffers.u, s.out} : result;
    pre_activations<T>(p, s, rows, x, u, buffers);
    active_kernels<T>().feature_map_forward(layer.activation, u.first, u.stride,
                                            s.gated ? static_cast<const T*>(buffers.t) : nullptr, result.first,
                                            result.stride, rows, s.out);
  });
}

// ---- Backward ----

/// The gradients of one head lie in `buffer` parameter by parameter, those of all heads together.
template <class T>
HeadParameters<T> gradients_of(const Layer& layer, const Sizes& s, std::int64_t head, T* buffer) {
  return parameters_of<T>(layer, s, head, [&](const Tensor& parameter) {
    T* first = buffer;
    buffer += parameter.size();
    return first;
  });
}

std::int64_t parameter_count_of(const Layer& layer) {
  std::int64_t count = 0;
  for (const Tensor* parameter : {&layer.weight, &layer.bias, &layer.gate, &layer.gate_bias, &layer.down}) {
    if (parameter->defined()) count += parameter->size();
  }
  return count;
}

/// A block of rows of one head: adds to the gradients `d` of its parameters, and fills dx; either may be null.
template <class T>
void backward_block(const Layer& layer, const Sizes& s, const HeadParameters<const T>& p, const HeadParameters<T>* d,
                    std::int64_t rows, Block<const T> x, Block<const T> g, Block<T> dx) {
  const Kernels<T>& kernels = active_kernels<T>();
  const Buffers<T> buffers(s);
  const Block<T> du{buffers.u, s.out}, dt{buffers.t, s.out}, low{buffers.low, s.rank};
  const Scratch<T> dlow_buffer(s.lowered ? rows * s.rank : 0);
  const Block<T> dlow{dlow_buffer, s.rank};
  const Block<const T> weight{p.weight, s.in}, gate{p.gate, s.gate_in}, down{p.down, s.in};
  pre_activations<T>(p, s, rows, x, du, buffers);
  kernels.feature_map_backward(layer.activation, g.first, g.stride, du.first, s.gated ? dt.first : nullptr, rows,
                               s.out);
  if (s.lowered) multiply<T>(rows, s.rank, s.out, dt, gate, dlow);
  if (d) {
    multiply_transposed_a<T>(s.out, s.in, rows, du, x, {d->weight, s.in}, true);
    if (s.gated) multiply_transposed_a<T>(s.out, s.gate_in, rows, dt, s.lowered ? low : x, {d->gate, s.gate_in}, true);
    if (s.lowered) multiply_transposed_a<T>(s.rank, s.in, rows, dlow, x, {d->down, s.in}, true);
    if (p.bias) kernels.add_column_sums(du.first, du.stride, d->bias, rows, s.out);
    if (p.gate_bias) kernels.add_column_sums(dt.first, dt.stride, d->gate_bias, rows, s.out);
  }
  if (dx.first) {
    multiply<T>(rows, s.in, s.out, du, weight, dx);
    if (s.lowered) {
      multiply<T>(rows, s.in, s.rank, dlow, down, dx, true);
    } else if (s.gated) {
      multiply<T>(rows, s.in, s.out, dt, gate, dx, true);
    }
  }
}

/// Fills dx where it is defined, and returns the sum of the parameters' gradients where `with_parameters`.
/// Tasks are heads of stretches of rows, at most 16 of these: each has its own sums, which are as large as the
/// parameters.
template <class T>
Tensor backward(const Layer& layer, const Sizes& s, const Tensor& cotangent, const Tensor& dx, bool with_parameters) {
  constexpr std::int64_t most_stretches = 16, fewest_rows = 2048;
  const std::int64_t stretch = std::max(fewest_rows, (s.rows + most_stretches - 1) / most_stretches);
  const std::int64_t stretches = std::max<std::int64_t>(1, (s.rows + stretch - 1) / stretch);
  const std::int64_t count = with_parameters ? parameter_count_of(layer) : 0;
  const T *input = layer.x.data<T>(), *upstream = cotangent.data<T>();
  T* dinput = dx.defined() ? write<T>(dx, layer.op) : nullptr;
  const Tensor sums = zeros({stretches, count}, dtype_of<T>());
  T* first_sum = write<T>(sums, layer.op);
  parallel_for(stretches * s.heads, 3 * cost_of(s) * static_cast<double>(stretch), [&](std::int64_t task) {
    const std::int64_t head = task % s.heads, begin = task / s.heads * stretch, end = std::min(s.rows, begin + stretch);
    const HeadParameters<const T> p = values_of<T>(layer, s, head);
    const HeadParameters<T> d = gradients_of<T>(layer, s, head, first_sum + task / s.heads * count);
    const Block<const T> x{input + head * s.in, s.heads * s.in}, g{upstream + head * s.out, s.heads * s.out};
    for (std::int64_t row = begin; row < end; row += block) {
      const Block<T> to = dinput ? Block<T>{dinput + head * s.in, s.heads * s.in}.from_row(row) : Block<T>{nullptr, 0};
      backward_block<T>(layer, s, p, with_parameters ? &d : nullptr, std::min(block, end - row), x.from_row(row),
                        g.from_row(row), to);
    }
  });
  return sum_of_blocks<T>(layer.op, sums);
}

std::vector<Tensor> feature_map_vjp(const Layer& layer, const Backward& b) {
  const std::vector<Tensor> inputs = layer.inputs();
  std::vector<Tensor> result(inputs.size());
  bool with_parameters = false;
  for (std::size_t i = 1; i < inputs.size(); ++i) with_parameters |= b.wants(i);
  if (b.wants(0)) result[0] = empty(layer.x.shape(), layer.x.dtype());
  const Tensor gradients = with_float_type(layer.op, layer.x.dtype(), [&]<class T>() {
    return backward<T>(layer, sizes_of(layer), b.cotangent(), result[0], with_parameters);
  });
  std::int64_t first = 0;
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (b.wants(i)) result[i] = share_buffer(gradients, inputs[i].shape(), first);
    if (inputs[i].defined()) first += inputs[i].size();
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

Tensor definition(FeatureActivation activation, const std::vector<Tensor>& inputs) {
  const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2], &gate = inputs[3], &gate_bias = inputs[4],
               &down = inputs[5];
  Tensor y = affine(x, weight, bias);
  if (activation == FeatureActivation::softplus) y = softplus(y);
  if (gate.defined()) {
    const Tensor gate_input = down.defined() ? affine(x, down, Tensor()) : x;
    y = y * sigmoid(affine(gate_input, gate, gate_bias));
  }
  return reshape(y, x.shape().with(-1, weight.size(1)));
}

// ---- The op ----

Tensor apply(const Layer& layer) {
  check_layer(layer);
  Tensor y = empty(layer.x.shape().with(-1, layer.weight.size(1)), layer.x.dtype());
  with_float_type(layer.op, layer.x.dtype(), [&]<class T>() { forward<T>(layer, sizes_of(layer), y); });
  record(
      {.name = layer.op,
       .inputs = layer.inputs(),
       .outputs = {y},
       .saved = layer.inputs(),
       .vjp =
           [op = layer.op, activation = layer.activation](const Backward& b) {
             return feature_map_vjp(
                 {op, activation, b.saved(0), b.saved(1), b.saved(2), b.saved(3), b.saved(4), b.saved(5)}, b);
           },
       .flops = flops_of(sizes_of(layer)),
       .definition = [activation = layer.activation](
                         const std::vector<Tensor>& inputs) { return std::vector{definition(activation, inputs)}; }});
  return y;
}

}  // namespace feature_map_detail

Tensor feature_map_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, FeatureActivation activation) {
  return feature_map_detail::apply({"feature_map_linear", activation, x, weight, bias, {}, {}, {}});
}

Tensor feature_map_glu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& gate,
                       const Tensor& gate_bias, FeatureActivation activation) {
  check_defined("feature_map_glu", gate, "gate");
  return feature_map_detail::apply({"feature_map_glu", activation, x, weight, bias, gate, gate_bias, {}});
}

Tensor feature_map_lowrank_glu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& down,
                               const Tensor& up, FeatureActivation activation) {
  check_defined("feature_map_lowrank_glu", down, "down");
  check_defined("feature_map_lowrank_glu", up, "up");
  if (down.rank() != 3) {
    fail("feature_map_lowrank_glu: down has shape ", down.shape(), ", (heads, rank, in) wanted");
  }
  return feature_map_detail::apply({"feature_map_lowrank_glu", activation, x, weight, bias, up, {}, down});
}

}  // namespace lintel
