// One head of a feature map, a block of rows at a time: what the tasks of feature_map.cpp and kernel_attention.cpp do.
// A layer computes y = f(u) ⊙ σ(t), u = W x + b, t = G x + c or t = B l with l = A x, or y = f(u) without a gate, u = x
// without weights.
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
  std::int64_t heads, in;
  std::int64_t units;    // of u
  std::int64_t out;      // of y: units, or twice that
  bool weighted;         // whether u is W x + b, not x
  bool gated, lowered;   // whether there is a gate, and whether it reads A x
  std::int64_t rank;     // of A x, 0 without it
  std::int64_t gate_in;  // of what the gate reads: in, or rank, or 0 without a gate

  /// Numbers that are products with x: u, and t or A x.
  std::int64_t of_x() const { return units + (lowered ? rank : gated ? units : 0); }
  /// Multiply-adds of one row of one head.
  std::int64_t multiply_adds() const { return weighted ? units * (in + gate_in) + rank * in : 0; }
  /// Operations of one row of one head, as `parallel_for` counts them.
  double cost() const { return static_cast<double>(multiply_adds() + 20 * out) / 8; }
};

/// Of a layer that reads `in` numbers of each head.
LayerSizes sizes_of(const FeatureMapLayer& layer, std::int64_t heads, std::int64_t in);

/// The parameters in the order in which tapes see them.
inline std::array<Tensor, 5> parameters_of(const FeatureMapLayer& layer) {
  return {layer.weight, layer.bias, layer.gate, layer.gate_bias, layer.down};
}

/// The numbers in all parameters of a layer, or of several.
std::int64_t parameter_count(const FeatureMapLayer& layer);
std::int64_t parameter_count(const std::vector<FeatureMapLayer>& layers);

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

  LayerTrace(const LayerSizes& s, std::int64_t rows)
      : of_x(rows * s.of_x()), t_of_low(s.lowered ? rows * s.units : 0) {}

  Block<T> u(const LayerSizes& s) const { return {of_x, s.of_x()}; }
  /// l = A x, in a layer that has it.
  Block<T> low(const LayerSizes& s) const { return {of_x + s.units, s.of_x()}; }
  /// Null without a gate.
  Block<T> t(const LayerSizes& s) const {
    if (s.lowered) return {t_of_low, s.units};
    return s.gated ? low(s) : Block<T>{nullptr, 0};
  }
};

template <class T>
void copy_rows(std::int64_t rows, std::int64_t columns, Block<const T> from, Block<T> to) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from.from_row(r).first, columns, to.from_row(r).first);
}

/// A place where rows of one head lie side by side. In x (…, H, d) they are H·d apart, which is often a power of two:
/// then they compete for few places in the caches, and what goes over them more than once waits for memory each time.
template <class T>
class GatheredRows {
 public:
  GatheredRows(std::int64_t most_rows, std::int64_t columns) : columns_(columns), rows_(most_rows * columns) {}

  /// Room for rows.
  Block<T> place() const { return {rows_, columns_}; }

  /// The rows of x, here unless they lie side by side already.
  Block<const T> gather(std::int64_t rows, Block<const T> x) const {
    if (x.stride == columns_ || !x.first) return x;
    copy_rows(rows, columns_, x, place());
    return place();
  }

 private:
  std::int64_t columns_;
  Scratch<T> rows_;
};

/// One head of one layer, its weights packed: W with G or A below it, and B.
template <class T>
class HeadLayer {
 public:
  HeadLayer(const FeatureMapLayer& layer, const LayerSizes& s, std::int64_t head, bool with_backward)
      : sizes_(s),
        activation_(layer.activation),
        own_(head_parameters<const T>(layer, head, [](const Tensor& x) { return x.data<T>(); })),
        bias_(static_cast<std::size_t>(s.weighted ? s.of_x() : 0)) {
    if (!s.weighted) return;
    const Scratch<T> stacked(s.of_x() * s.in);
    std::copy_n(own_.weight, s.units * s.in, static_cast<T*>(stacked));
    const T* const second = s.lowered ? own_.down : own_.gate;
    if (second) std::copy_n(second, (s.of_x() - s.units) * s.in, stacked + s.units * s.in);
    if (own_.bias) std::copy_n(own_.bias, s.units, bias_.begin());
    if (own_.gate_bias && !s.lowered) std::copy_n(own_.gate_bias, s.units, bias_.begin() + s.units);
    of_x_.emplace(packed_weight<T>(s.of_x(), s.in, {stacked, s.in}));
    if (s.lowered) up_.emplace(packed_weight<T>(s.units, s.rank, {own_.gate, s.rank}));
    if (!with_backward) return;
    of_x_back_.emplace(s.of_x(), s.in, GemmOperand<T>{stacked, s.in});
    if (s.lowered) up_back_.emplace(s.units, s.rank, GemmOperand<T>{own_.gate, s.rank});
  }

  const LayerSizes& sizes() const { return sizes_; }

  /// y of `rows` rows of x. `trace` is room for what lies between.
  void forward(std::int64_t rows, Block<const T> x, const LayerTrace<T>& trace, Block<T> y) const {
    const Block<T> t = trace.t(sizes_);
    const Block<const T> u = sizes_.weighted ? Block<const T>(trace.u(sizes_)) : x;
    if (sizes_.weighted) multiply_weights(rows, x, trace);
    active_kernels<T>().feature_map_forward(activation_, u.first, u.stride, t.first, t.stride, y.first, y.stride, rows,
                                            sizes_.units);
  }

  /// The same, and leaves in `trace` what `backward` needs.
  void forward_traced(std::int64_t rows, Block<const T> x, const LayerTrace<T>& trace, Block<T> y) const {
    const Block<T> u = trace.u(sizes_), t = trace.t(sizes_);
    if (sizes_.weighted) {
      multiply_weights(rows, x, trace);
    } else {
      copy_rows(rows, sizes_.units, x, u);
    }
    active_kernels<T>().feature_map_trace(activation_, u.first, u.stride, t.first, t.stride, y.first, y.stride, rows,
                                          sizes_.units);
  }

  /// From g = dy and the y of x: adds to the gradients `d` of the parameters unless null, and fills dx unless null.
  /// Uses up the trace.
  void backward(std::int64_t rows, Block<const T> x, Block<const T> y, Block<const T> g, const LayerTrace<T>& trace,
                const HeadParameters<T>* d, Block<T> dx) const {
    const LayerSizes& s = sizes_;
    const Block<T> du = trace.u(s), dt = trace.t(s), low = trace.low(s);
    active_kernels<T>().feature_map_backward(activation_, g.first, g.stride, y.first, y.stride, du.first, du.stride,
                                             dt.first, dt.stride, rows, s.units);
    if (!s.weighted) {
      if (dx.first) copy_rows<T>(rows, s.in, du, dx);
      return;
    }
    if (s.lowered) {
      if (d) multiply_transposed_a<T>(s.units, s.rank, rows, dt, low, {d->gate, s.rank}, true);
      multiply<T>(rows, dt, *up_back_, low);  // l becomes dl
    }
    if (d) add_gradients(rows, x, trace, *d);
    if (dx.first) multiply<T>(rows, du, *of_x_back_, dx);
  }

 private:
  /// u and t.
  void multiply_weights(std::int64_t rows, Block<const T> x, const LayerTrace<T>& trace) const {
    apply_weight<T>(rows, x, *of_x_, bias_.data(), trace.u(sizes_));
    if (sizes_.lowered) apply_weight<T>(rows, trace.low(sizes_), *up_, own_.gate_bias, trace.t(sizes_));
  }

  /// Of what is made of x.
  void add_gradients(std::int64_t rows, Block<const T> x, const LayerTrace<T>& trace,
                     const HeadParameters<T>& d) const {
    const LayerSizes& s = sizes_;
    const Kernels<T>& kernels = active_kernels<T>();
    const Block<T> du = trace.u(s), dt = trace.t(s), second = trace.low(s);
    multiply_transposed_a<T>(s.units, s.in, rows, du, x, {d.weight, s.in}, true);
    T* const target = s.lowered ? d.down : d.gate;
    if (target) multiply_transposed_a<T>(s.of_x() - s.units, s.in, rows, second, x, {target, s.in}, true);
    if (d.bias) kernels.add_column_sums(du.first, du.stride, d.bias, rows, s.units);
    if (d.gate_bias) kernels.add_column_sums(dt.first, dt.stride, d.gate_bias, rows, s.units);
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
  HeadMap(const std::vector<FeatureMapLayer>& layers, const std::vector<LayerSizes>& sizes, std::int64_t head,
          bool with_backward) {
    layers_.reserve(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) layers_.emplace_back(layers[i], sizes[i], head, with_backward);
  }

  const std::vector<HeadLayer<T>>& layers() const { return layers_; }
  /// The numbers that the first layer reads; 0 without layers.
  std::int64_t in() const { return layers_.empty() ? 0 : layers_[0].sizes().in; }

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

/// φ of a block of at most so many rows, with all that its backward pass needs where that follows. A layer's input is
/// dropped before it is read, and its cotangent once more by the same mask, which is a function of the place.
template <class T>
class MappedRows {
 public:
  MappedRows(const HeadMap<T>& map, std::int64_t most_rows, bool with_backward)
      : map_(map), with_backward_(with_backward), gathered_(map.layers().empty() ? 0 : most_rows, map.in()) {
    for (const HeadLayer<T>& layer : map.layers()) {
      const std::int64_t size = most_rows * layer.sizes().out;
      traces_.emplace_back(layer.sizes(), most_rows);
      values_.emplace_back(size);
      cotangents_.emplace_back(with_backward ? size : 0);
    }
  }

  /// φ(x), which stays until the next call.
  Block<const T> forward(std::int64_t rows, const MapInput<T>& input) {
    input_ = input;
    if (!traces_.empty()) input_.x = layer_input(rows, input);
    Block<const T> x = input_.x;
    for (std::size_t i = 0; i < traces_.size(); ++i) {
      if (i > 0 && input_.drops(i)) drop(i, rows, x, value(i - 1));
      const HeadLayer<T>& layer = map_.layers()[i];
      if (with_backward_) {
        layer.forward_traced(rows, x, traces_[i], value(i));
      } else {
        layer.forward(rows, x, traces_[i], value(i));
      }
      x = value(i);
    }
    return x;
  }

  /// Where dφ has to be for `backward`: in dx itself without layers.
  Block<T> gradient(Block<T> dx) const { return traces_.empty() ? dx : cotangent(traces_.size() - 1); }

  /// Fills dx from `gradient(dx)` unless null, and adds to the gradients `d` of the layers unless empty. Uses up what
  /// `forward` left.
  void backward(std::int64_t rows, const MapGradients<T>& d, Block<T> dx) const {
    // A layer needs its input no longer when it computes the cotangent of it.
    const bool apart = dx.first && dx.stride != map_.in();
    for (std::size_t i = traces_.size(); i-- > 0;) {
      const Block<const T> input = i > 0 ? Block<const T>(value(i - 1)) : input_.x;
      const Block<T> target = i > 0 ? cotangent(i - 1) : apart ? gathered_.place() : dx;
      map_.layers()[i].backward(rows, input, value(i), cotangent(i), traces_[i], d.empty() ? nullptr : &d[i], target);
      if (target.first && input_.drops(i)) drop(i, rows, target, target);
    }
    if (apart && !traces_.empty()) copy_rows<T>(rows, map_.in(), gathered_.place(), dx);
  }

 private:
  Block<T> value(std::size_t layer) const { return {values_[layer], map_.layers()[layer].sizes().out}; }
  Block<T> cotangent(std::size_t layer) const { return {cotangents_[layer], map_.layers()[layer].sizes().out}; }

  /// What the first layer reads of x: what is left of it, or all.
  Block<const T> layer_input(std::int64_t rows, const MapInput<T>& input) const {
    if (!input.drops(0)) return gathered_.gather(rows, input.x);
    drop(0, rows, input.x, gathered_.place());
    return gathered_.place();
  }

  /// What is left of an input of a layer, or of its cotangent. `to` may be x.
  void drop(std::size_t layer, std::int64_t rows, Block<const T> x, Block<T> to) const {
    const LayerSizes& s = map_.layers()[layer].sizes();
    apply_dropout_to_rows<T>(input_.masks[layer], rows, s.in, x, to, input_.place * s.in, s.heads * s.in);
  }

  const HeadMap<T>& map_;
  bool with_backward_;
  std::vector<LayerTrace<T>> traces_;
  std::vector<Scratch<T>> values_, cotangents_;
  GatheredRows<T> gathered_;
  MapInput<T> input_{};
};

/// All heads of a stack of layers.
template <class T>
std::vector<HeadMap<T>> head_maps(const std::vector<FeatureMapLayer>& layers, const std::vector<LayerSizes>& sizes,
                                  std::int64_t heads, bool with_backward) {
  std::vector<HeadMap<T>> maps;
  for (std::int64_t head = 0; head < heads; ++head) maps.emplace_back(layers, sizes, head, with_backward);
  return maps;
}

}  // namespace lintel::feature_map_detail
