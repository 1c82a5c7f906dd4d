// One head of a trained feature map, a block of rows at a time: what the tasks of feature_map.cpp and
// kernel_attention.cpp do. A layer computes y = f(u) ⊙ σ(t), u = W x + b, t = G x + c or t = B l with l = A x, or y =
// f(u) without a gate.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include <lintel/ops/dropout_mask.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel::feature_map_detail {

struct LayerSizes {
  std::int64_t heads, in, out;
  bool gated, lowered;   // whether there is a gate, and whether it reads A x
  std::int64_t rank;     // of A x, 0 without it
  std::int64_t gate_in;  // of what the gate reads: in, or rank, or 0 without a gate

  /// Numbers that are products with x: u, and t or A x.
  std::int64_t of_x() const { return out + (lowered ? rank : gated ? out : 0); }
  /// Multiply-adds of one row of one head.
  std::int64_t multiply_adds() const { return out * (in + gate_in) + rank * in; }
  /// Operations of one row of one head, as `parallel_for` counts them.
  double cost() const { return static_cast<double>(multiply_adds() + 20 * out) / 8; }
};

LayerSizes sizes_of(const FeatureMapLayer& layer);

/// The parameters in the order in which tapes see them.
inline std::array<Tensor, 5> parameters_of(const FeatureMapLayer& layer) {
  return {layer.weight, layer.bias, layer.gate, layer.gate_bias, layer.down};
}

/// The numbers in all parameters of a layer.
std::int64_t parameter_count(const FeatureMapLayer& layer);

/// Throws an `Error` that names `op` unless the layer's parameters are of `type` and fit an x of shape (…, heads, in).
void check_layer(const char* op, const FeatureMapLayer& layer, const Shape& x, DType type);

/// The layer in primitives.
Tensor layer_definition(const FeatureMapLayer& layer, const Tensor& x);

/// Where the parameters of one head of a layer, or their gradients, begin; null where absent.
template <class T>
struct HeadParameters {
  T *weight, *bias, *gate, *gate_bias, *down;
};

/// `first_of(parameter)` is asked, in the order of the members, where the elements of all heads begin.
template <class T, class FirstOf>
HeadParameters<T> head_parameters(const FeatureMapLayer& layer, std::int64_t head, FirstOf first_of) {
  auto part = [&](const Tensor& parameter) {
    return parameter.defined() ? first_of(parameter) + head * (parameter.size() / parameter.size(0)) : nullptr;
  };
  T* const weight = part(layer.weight);
  T* const bias = part(layer.bias);
  T* const gate = part(layer.gate);
  T* const gate_bias = part(layer.gate_bias);
  return {weight, bias, gate, gate_bias, part(layer.down)};
}

/// The gradients of one head of a layer in `buffer`, where those of all heads lie parameter by parameter.
template <class T>
HeadParameters<T> head_gradients(const FeatureMapLayer& layer, std::int64_t head, T* buffer) {
  return head_parameters<T>(layer, head, [&](const Tensor& parameter) {
    T* const first = buffer;
    buffer += parameter.size();
    return first;
  });
}

/// What a layer computed of a block of rows. The pre-activation u and what else is made of x, the gate's t or l = A x,
/// lie side by side: one product gives both.
template <class T>
struct LayerTrace {
  Scratch<T> of_x, t_of_low;

  LayerTrace(const LayerSizes& s, std::int64_t rows) : of_x(rows * s.of_x()), t_of_low(s.lowered ? rows * s.out : 0) {}

  Block<T> u(const LayerSizes& s) const { return {of_x, s.of_x()}; }
  /// l = A x, in a layer that has it.
  Block<T> low(const LayerSizes& s) const { return {of_x + s.out, s.of_x()}; }
  /// Null without a gate.
  Block<T> t(const LayerSizes& s) const {
    if (s.lowered) return {t_of_low, s.out};
    return s.gated ? low(s) : Block<T>{nullptr, 0};
  }
};

/// One head of one layer, its weights packed: W with G or A below it, and B.
template <class T>
class HeadLayer {
 public:
  HeadLayer(const FeatureMapLayer& layer, std::int64_t head, bool with_backward)
      : sizes_(sizes_of(layer)),
        activation_(layer.activation),
        own_(head_parameters<const T>(layer, head, [](const Tensor& x) { return x.data<T>(); })),
        bias_(static_cast<std::size_t>(sizes_.of_x())) {
    const LayerSizes& s = sizes_;
    const Scratch<T> stacked(s.of_x() * s.in);
    std::copy_n(own_.weight, s.out * s.in, static_cast<T*>(stacked));
    const T* const second = s.lowered ? own_.down : own_.gate;
    if (second) std::copy_n(second, (s.of_x() - s.out) * s.in, stacked + s.out * s.in);
    if (own_.bias) std::copy_n(own_.bias, s.out, bias_.begin());
    if (own_.gate_bias && !s.lowered) std::copy_n(own_.gate_bias, s.out, bias_.begin() + s.out);
    of_x_.emplace(packed_weight<T>(s.of_x(), s.in, {stacked, s.in}));
    if (s.lowered) up_.emplace(packed_weight<T>(s.out, s.rank, {own_.gate, s.rank}));
    if (!with_backward) return;
    of_x_back_.emplace(s.of_x(), s.in, GemmOperand<T>{stacked, s.in});
    if (s.lowered) up_back_.emplace(s.out, s.rank, GemmOperand<T>{own_.gate, s.rank});
  }

  const LayerSizes& sizes() const { return sizes_; }

  /// y of `rows` rows of x, and the trace.
  void forward(std::int64_t rows, Block<const T> x, const LayerTrace<T>& trace, Block<T> y) const {
    const LayerSizes& s = sizes_;
    const Block<T> u = trace.u(s), t = trace.t(s);
    apply_weight<T>(rows, x, *of_x_, bias_.data(), u);
    if (s.lowered) apply_weight<T>(rows, trace.low(s), *up_, own_.gate_bias, t);
    active_kernels<T>().feature_map_forward(activation_, u.first, u.stride, t.first, t.stride, y.first, y.stride, rows,
                                            s.out);
  }

  /// From g = dy: adds to the gradients `d` of the parameters unless null, and fills dx unless null. Uses up the trace.
  void backward(std::int64_t rows, Block<const T> x, Block<const T> g, const LayerTrace<T>& trace,
                const HeadParameters<T>* d, Block<T> dx) const {
    const LayerSizes& s = sizes_;
    const Block<T> du = trace.u(s), dt = trace.t(s), low = trace.low(s);
    active_kernels<T>().feature_map_backward(activation_, g.first, g.stride, du.first, du.stride, dt.first, dt.stride,
                                             rows, s.out);
    if (s.lowered) {
      if (d) multiply_transposed_a<T>(s.out, s.rank, rows, dt, low, {d->gate, s.rank}, true);
      multiply<T>(rows, dt, *up_back_, low);  // l becomes dl
    }
    if (d) add_gradients(rows, x, trace, *d);
    if (dx.first) multiply<T>(rows, du, *of_x_back_, dx);
  }

 private:
  /// Of what is made of x.
  void add_gradients(std::int64_t rows, Block<const T> x, const LayerTrace<T>& trace,
                     const HeadParameters<T>& d) const {
    const LayerSizes& s = sizes_;
    const Kernels<T>& kernels = active_kernels<T>();
    const Block<T> du = trace.u(s), dt = trace.t(s), second = trace.low(s);
    multiply_transposed_a<T>(s.out, s.in, rows, du, x, {d.weight, s.in}, true);
    T* const target = s.lowered ? d.down : d.gate;
    if (target) multiply_transposed_a<T>(s.of_x() - s.out, s.in, rows, second, x, {target, s.in}, true);
    if (d.bias) kernels.add_column_sums(du.first, du.stride, d.bias, rows, s.out);
    if (d.gate_bias) kernels.add_column_sums(dt.first, dt.stride, d.gate_bias, rows, s.out);
  }

  LayerSizes sizes_;
  FeatureActivation activation_;
  HeadParameters<const T> own_;
  std::vector<T> bias_;  // of all that is made of x
  std::optional<PackedMatrix<T>> of_x_, up_, of_x_back_, up_back_;
};

/// The gradients of all layers of one head; empty where not wanted.
template <class T>
using MapGradients = std::vector<HeadParameters<T>>;

/// One head of a stack of layers, φ(x); without layers φ(x) = x.
template <class T>
class HeadMap {
 public:
  HeadMap(const std::vector<FeatureMapLayer>& layers, std::int64_t head, bool with_backward) {
    layers_.reserve(layers.size());
    for (const FeatureMapLayer& layer : layers) layers_.emplace_back(layer, head, with_backward);
  }

  const std::vector<HeadLayer<T>>& layers() const { return layers_; }

 private:
  std::vector<HeadLayer<T>> layers_;
};

/// Rows of one head of x (…, H, in), and the dropout of what each layer reads; no masks drop nothing.
template <class T>
struct MapInput {
  Block<const T> x;
  std::int64_t place;  // of the first row among the rows of all heads: token·H + head
  std::span<const DropoutMask> masks;

  bool drops(std::size_t layer) const { return !masks.empty() && masks[layer].rate > 0; }
};

/// φ of a block of at most so many rows, with all that its backward pass needs. A layer's input is dropped before it is
/// read, and its cotangent once more by the same mask, which is a function of the place.
template <class T>
class MappedRows {
 public:
  MappedRows(const HeadMap<T>& map, std::int64_t most_rows)
      : map_(map),
        most_rows_(most_rows),
        gradient_(map.layers().empty() ? 0 : most_rows * map.layers().back().sizes().out) {
    for (const HeadLayer<T>& layer : map.layers()) {
      traces_.emplace_back(layer.sizes(), most_rows);
      values_.emplace_back(most_rows * layer.sizes().out);
    }
  }

  /// φ(x), which stays until the next call.
  Block<const T> forward(std::int64_t rows, const MapInput<T>& input) {
    input_ = input;
    if (input.drops(0)) input_.x = dropped_input(rows);
    Block<const T> x = input_.x;
    for (std::size_t i = 0; i < traces_.size(); ++i) {
      if (i > 0 && input_.drops(i)) drop(i, rows, x, value(i - 1));
      map_.layers()[i].forward(rows, x, traces_[i], value(i));
      x = value(i);
    }
    return x;
  }

  /// Where dφ has to be for `backward`: in dx itself without layers.
  Block<T> gradient(Block<T> dx) const {
    return traces_.empty() ? dx : Block<T>{gradient_, map_.layers().back().sizes().out};
  }

  /// Fills dx from `gradient(dx)` unless null, and adds to the gradients `d` of the layers unless empty. Uses up what
  /// `forward` left.
  void backward(std::int64_t rows, const MapGradients<T>& d, Block<T> dx) const {
    Block<const T> g = gradient(dx);
    for (std::size_t i = traces_.size(); i-- > 0;) {
      const Block<const T> input = i > 0 ? Block<const T>(value(i - 1)) : input_.x;
      // A layer's input is needed for its gradients until they are summed, so its cotangent has a place of its own.
      const std::int64_t in = map_.layers()[i].sizes().in;
      const Scratch<T> dinput(i > 0 ? rows * in : 0);
      const Block<T> target = i > 0 ? Block<T>{dinput, in} : dx;
      map_.layers()[i].backward(rows, input, g, traces_[i], d.empty() ? nullptr : &d[i], target);
      if (target.first && input_.drops(i)) drop(i, rows, target, target);
      if (i == 0) break;
      std::copy_n(static_cast<const T*>(dinput), rows * in, static_cast<T*>(values_[i - 1]));
      g = value(i - 1);
    }
  }

 private:
  Block<T> value(std::size_t layer) const { return {values_[layer], map_.layers()[layer].sizes().out}; }

  /// What is left of x for the first layer, in a place of its own.
  Block<const T> dropped_input(std::int64_t rows) {
    const std::int64_t in = map_.layers()[0].sizes().in;
    if (!dropped_) dropped_.emplace(most_rows_ * in);
    drop(0, rows, input_.x, {*dropped_, in});
    return {*dropped_, in};
  }

  /// What is left of an input of a layer, or of its cotangent. `to` may be x.
  void drop(std::size_t layer, std::int64_t rows, Block<const T> x, Block<T> to) const {
    const LayerSizes& s = map_.layers()[layer].sizes();
    apply_dropout_to_rows<T>(input_.masks[layer], rows, s.in, x, to, input_.place * s.in, s.heads * s.in);
  }

  const HeadMap<T>& map_;
  std::int64_t most_rows_;
  std::vector<LayerTrace<T>> traces_;
  std::vector<Scratch<T>> values_;
  Scratch<T> gradient_;
  std::optional<Scratch<T>> dropped_;
  MapInput<T> input_{};
};

/// All heads of a stack of layers.
template <class T>
std::vector<HeadMap<T>> head_maps(const std::vector<FeatureMapLayer>& layers, std::int64_t heads, bool with_backward) {
  std::vector<HeadMap<T>> maps;
  for (std::int64_t head = 0; head < heads; ++head) maps.emplace_back(layers, head, with_backward);
  return maps;
}

}  // namespace lintel::feature_map_detail
