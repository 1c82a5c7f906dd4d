#include <algorithm>

#include <lintel/core/parallel.hpp>
#include <lintel/ops/activation_kernels.hpp>
#include <lintel/ops/linear_pass.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel {
namespace linear_pass_detail {

constexpr std::int64_t elements = 1 << 13;  // of one task of an activation

/// Operations of one row in one direction.
template <class Layers>
double cost_of(const Layers& layers, std::int64_t in) {
  double cost = 0;
  for (const auto& layer : layers) cost += static_cast<double>(layer.weight.size(0) * (in / 16 + 1));
  return cost;
}

template <class Layers>
std::int64_t widest_of(const Layers& layers, std::int64_t in) {
  std::int64_t widest = in;
  for (const auto& layer : layers) widest = std::max(widest, layer.weight.size(0));
  return widest;
}

template <class T>
void forward(const char* op, Activation activation, const Tensor& x, const std::vector<LinearForward>& layers) {
  const std::int64_t rows = leading_size(x.shape(), 1), in = x.size(-1);
  const RowCut cut = cut_rows(rows, widest_of(layers, in), 0);
  // A single product knows best how to be cut.
  const bool whole = cut.stretches() == 1 || (layers.size() == 1 && activation == Activation::none);
  const std::int64_t block = whole ? std::max<std::int64_t>(1, rows) : cut.block;
  const T* const input = x.data<T>();
  struct Layer {
    std::int64_t out;
    const T* bias;
    T *u, *y;
    ReusedOperand<T> weight;
  };
  std::vector<Layer> all;
  for (const LinearForward& layer : layers) {
    const std::int64_t out = layer.weight.size(0);
    all.push_back({out,
                   layer.bias.defined() ? layer.bias.data<T>() : nullptr,
                   write<T>(layer.u, op),
                   write<T>(layer.y, op),
                   {(rows + block - 1) / block, in, out, {layer.weight.data<T>(), in, true}}});
  }
  auto run_block = [&](std::int64_t begin, std::int64_t end) {
    for (const Layer& layer : all) {
      T* const u = layer.u + begin * layer.out;
      layer.weight.multiply(end - begin, {input + begin * in, in}, {u, layer.out}, {.bias = layer.bias});
      if (activation == Activation::none) continue;
      parallel_blocks((end - begin) * layer.out, elements, activation_cost, [&](std::int64_t first, std::int64_t last) {
        activate(activation, u + first, layer.y + begin * layer.out + first, last - first);
      });
    }
  };
  if (block >= rows) return run_block(0, rows);  // its products may use all threads
  parallel_blocks(rows, block, cost_of(layers, in), run_block);
}

template <class T>
class BackwardPass {
 public:
  BackwardPass(const char* op, Activation activation, const Tensor& x, std::vector<LinearBackward>& layers,
               bool wants_x)
      : op_(op),
        activation_(activation),
        x_(x),
        layers_(layers),
        in_(x.size(-1)),
        cut_(cut_rows(leading_size(x.shape(), 1), widest_of(layers, in_), parameters())) {
    // A single stretch needs blocks only for what activations need room for.
    if (cut_.stretches() == 1 && activation == Activation::none) cut_.block = cut_.stretch;
    for (const LinearBackward& layer : layers) {
      weights_.emplace_back(wants_x ? cut_.blocks() : 0, layer.weight.size(0), in_,
                            GemmOperand<T>{layer.weight.data<T>(), in_});
    }
    if (wants_x) dx_ = empty(x.shape(), x.dtype());
  }

  Tensor run() {
    T* const dx = dx_.defined() ? write<T>(dx_, op_) : nullptr;
    const std::int64_t widest = activation_ == Activation::none ? 0 : widest_of(layers_, 0);
    const Tensor sums = sum_of_stretches<T>(
        op_, cut_, parameters(), 2 * cost_of(layers_, in_), [&](std::int64_t begin, std::int64_t end, T* stretch_sums) {
          const Scratch<T> du(std::min(cut_.block, end - begin) * widest);
          for (std::int64_t row = begin; row < end; row += cut_.block) {
            run_block(row, std::min(cut_.block, end - row), stretch_sums, row > begin, du, dx);
          }
        });
    share_out(sums);
    return dx_;
  }

 private:
  /// How many numbers the wanted gradients of parameters are.
  std::int64_t parameters() const {
    std::int64_t count = 0;
    for (const LinearBackward& layer : layers_) {
      if (layer.wants_weight) count += layer.weight.size();
      if (layer.wants_bias) count += layer.weight.size(0);
    }
    return count;
  }

  /// Sets the sums of the parameters' gradients to what a block of rows gives, or adds that, and fills its part of dx
  /// unless that is null.
  void run_block(std::int64_t row, std::int64_t rows, T* sums, bool add, T* buffer, T* dx) const {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const LinearBackward& layer = layers_[i];
      const std::int64_t out = layer.weight.size(0);
      const Block<const T> du{upstream_of(layer, row * out, rows * out, buffer), out};
      if (dx) weights_[i].multiply(rows, du, {dx + row * in_, in_}, {.accumulate = i > 0});
      if (layer.wants_weight) {
        multiply_transposed_a<T>(out, in_, rows, du, {x_.data<T>() + row * in_, in_}, {sums, in_}, add);
        sums += layer.weight.size();
      }
      if (layer.wants_bias) {
        sum_columns(du.first, rows, out, sums, add);
        sums += out;
      }
    }
  }

  /// The cotangent of u, computed in `buffer` where there is an activation.
  const T* upstream_of(const LinearBackward& layer, std::int64_t first, std::int64_t count, T* buffer) const {
    const T* const dy = layer.dy.data<T>() + first;
    if (activation_ == Activation::none) return dy;
    const T* const kept = layer.kept.data<T>() + first;
    parallel_blocks(count, elements, slope_cost, [&](std::int64_t begin, std::int64_t end) {
      activate_backward(activation_, dy + begin, kept + begin, buffer + begin, end - begin);
    });
    return buffer;
  }

  void share_out(const Tensor& sums) {
    std::int64_t first = 0;
    for (LinearBackward& layer : layers_) {
      if (layer.wants_weight) {
        layer.dweight = share_buffer(sums, layer.weight.shape(), first);
        first += layer.weight.size();
      }
      if (layer.wants_bias) {
        layer.dbias = share_buffer(sums, {layer.weight.size(0)}, first);
        first += layer.weight.size(0);
      }
    }
  }

  const char* op_;
  Activation activation_;
  const Tensor& x_;
  std::vector<LinearBackward>& layers_;
  std::int64_t in_;
  RowCut cut_;
  std::vector<ReusedOperand<T>> weights_;
  Tensor dx_;
};

}  // namespace linear_pass_detail

void run_linears(const char* op, Activation activation, const Tensor& x, const std::vector<LinearForward>& layers) {
  with_float_type(op, x.dtype(), [&]<class T>() { linear_pass_detail::forward<T>(op, activation, x, layers); });
}

Tensor run_linears_backward(const char* op, Activation activation, const Tensor& x, std::vector<LinearBackward>& layers,
                            bool wants_x) {
  return with_float_type(op, x.dtype(), [&]<class T>() {
    return linear_pass_detail::BackwardPass<T>(op, activation, x, layers, wants_x).run();
  });
}

}  // namespace lintel
