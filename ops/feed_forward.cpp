#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/activation_kernels.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/dropout_mask.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/feed_forward.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/products.hpp>
#include <lintel/ops/row_blocks.hpp>
#include <lintel/ops/scratch.hpp>

namespace lintel {
namespace feed_forward_detail {

/// The inputs in the order in which tapes see them; absent ones are undefined.
struct Layer {
  Tensor x, up, up_bias, down, down_bias, residual;
  FeedForwardOptions options;

  std::vector<Tensor> inputs() const { return {x, up, up_bias, down, down_bias, residual}; }
};

struct Sizes {
  std::int64_t rows, in, mlp, out;

  /// Operations of one row in one direction of one product after the other.
  double cost() const {
    return static_cast<double>(mlp * (in + out)) / 16 + activation_cost * static_cast<double>(mlp);
  }
};

Sizes sizes_of(const Layer& layer) {
  return {leading_size(layer.x.shape(), 1), layer.x.size(-1), layer.up.size(0), layer.down.size(0)};
}

// ---- Check ----

void check_weight(const Layer& layer, const Tensor& weight, std::int64_t in, const char* name, const char* wanted) {
  check_dtype("feed_forward", weight, layer.x.dtype(), name);
  if (weight.rank() != 2 || weight.size(1) != in) {
    fail("feed_forward: ", name, " has shape ", weight.shape(), ", (", wanted, ", ", in, ") wanted");
  }
}

void check_layer(const Layer& layer) {
  check_defined("feed_forward", layer.x, "x");
  if (layer.x.rank() == 0) fail("feed_forward: x is a scalar, (..., in) wanted");
  const DType dtype = layer.x.dtype();
  check_weight(layer, layer.up, layer.x.size(-1), "up", "mlp");
  check_weight(layer, layer.down, layer.up.size(0), "down", "out");
  if (layer.up_bias.defined()) check_parameter("feed_forward", layer.up_bias, dtype, layer.up.size(0), "up_bias");
  if (layer.down_bias.defined()) {
    check_parameter("feed_forward", layer.down_bias, dtype, layer.down.size(0), "down_bias");
  }
  const Shape result = layer.x.shape().with(-1, layer.down.size(0));
  if (layer.residual.defined()) {
    check_dtype("feed_forward", layer.residual, dtype, "residual");
    if (layer.residual.shape() != result) {
      fail("feed_forward: residual has shape ", layer.residual.shape(), ", ", result, " wanted");
    }
  }
  check_dropout_rate("feed_forward", layer.options.hidden_dropout.rate);
  check_dropout_rate("feed_forward", layer.options.output_dropout.rate);
}

// ---- Forward ----

template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

/// Calls `body(begin, end)` for stretches of a block's elements, in parallel where the block is not a task itself.
template <class Body>
void for_elements(std::int64_t count, double cost, Body&& body) {
  parallel_blocks(count, 1 << 13, cost, body);
}

/// f(u) to `value`, which may be u.
template <class T>
void activate_block(Activation activation, const T* u, T* value, std::int64_t count) {
  if (activation == Activation::none && value == u) return;
  for_elements(count, activation_cost, [&](std::int64_t begin, std::int64_t end) {
    activate(activation, u + begin, value + begin, end - begin);
  });
}

/// Dropout of x to y, which may be x and must be where nothing is dropped. x begins at element `first` of its array.
template <class T>
void drop_block(const DropoutMask& mask, const T* x, T* y, std::int64_t first, std::int64_t count) {
  if (mask.rate == 0) return;
  for_elements(count, 6, [&](std::int64_t begin, std::int64_t end) {
    apply_dropout(mask, x + begin, y + begin, first + begin, end - begin);
  });
}

/// upᵀ as the products x upᵀ read it.
template <class T>
ReusedOperand<T> up_transposed(const Layer& layer, const Sizes& s, const RowCut& cut) {
  return {cut.blocks(), s.in, s.mlp, {layer.up.data<T>(), s.in, true}};
}

/// Fills y, and `kept` where it is defined with what the backward pass reads: u, or f(u) where the slope follows from
/// that.
template <class T>
void forward(const Layer& layer, const Sizes& s, const Tensor& kept, const Tensor& y) {
  const FeedForwardOptions& o = layer.options;
  const T *x = layer.x.data<T>(), *residual = data_or_null<T>(layer.residual);
  const T *up_bias = data_or_null<T>(layer.up_bias), *down_bias = data_or_null<T>(layer.down_bias);
  T *keep = kept.defined() ? write<T>(kept, "feed_forward") : nullptr, *result = write<T>(y, "feed_forward");
  const RowCut cut = cut_rows(s.rows, s.mlp, 0);
  const ReusedOperand<T> up = up_transposed<T>(layer, s, cut);
  const ReusedOperand<T> down(cut.blocks(), s.mlp, s.out, {layer.down.data<T>(), s.mlp, true});
  const bool keeps_value = keep && slope_follows_from_value(o.activation);
  auto run_block = [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin, first = begin * s.mlp, count = rows * s.mlp;
    const bool in_place = keeps_value && o.hidden_dropout.rate == 0;
    const Scratch<T> scratch(in_place ? 0 : count);
    T* const u = keep ? keep + first : scratch;
    T* const value = keeps_value ? u : scratch;  // f(u)
    T* const hidden = in_place ? u : scratch;    // after dropout
    T* const to = result + begin * s.out;
    up.multiply(rows, {x + begin * s.in, s.in}, {u, s.mlp}, {.bias = up_bias});
    activate_block(o.activation, u, value, count);
    drop_block(o.hidden_dropout, value, hidden, first, count);
    down.multiply(rows, {hidden, s.mlp}, {to, s.out}, {.bias = down_bias});
    drop_block(o.output_dropout, to, to, begin * s.out, rows * s.out);
    if (!residual) return;
    for_elements(rows * s.out, 1, [&](std::int64_t from, std::int64_t until) {
      active_kernels<T>().add_into(residual + begin * s.out + from, to + from, until - from);
    });
  };
  if (cut.blocks() == 1) return run_block(0, s.rows);  // its products may use all threads
  parallel_blocks(s.rows, cut.block, s.cost(), run_block);
}

// ---- Backward ----

/// Where the gradients of the parameters go, null where they are not wanted.
template <class T>
struct ParameterGradients {
  T *up, *up_bias, *down, *down_bias;
};

/// Cotangents of x and of the parameters, from those of the result.
template <class T>
class BackwardPass {
 public:
  BackwardPass(const Layer& layer, const Tensor& kept, const Backward& b)
      : layer_(layer),
        s_(sizes_of(layer)),
        b_(b),
        upstream_(b.cotangent().data<T>()),
        kept_(data_or_null<T>(kept)),
        needs_du_(b.wants(0) || b.wants(1) || b.wants(2)),
        needs_hidden_(needs_du_ || b.wants(3)),
        parameters_(gradients_in(nullptr).second),
        cut_(cut_rows(s_.rows, s_.mlp, parameters_)),
        down_(needs_du_ ? cut_.blocks() : 0, s_.out, s_.mlp, {layer.down.data<T>(), s_.mlp}),
        up_(b.wants(0) ? cut_.blocks() : 0, s_.mlp, s_.in, {layer.up.data<T>(), s_.in}) {
    if (!kept_ && needs_hidden_) up_transposed_.emplace(up_transposed<T>(layer, s_, cut_));
  }

  std::vector<Tensor> run() {
    std::vector<Tensor> result(6);
    if (b_.wants(0)) result[0] = empty(layer_.x.shape(), layer_.x.dtype());
    if (b_.wants(5)) result[5] = b_.cotangent();
    T* const dx = b_.wants(0) ? write<T>(result[0], "feed_forward") : nullptr;
    const Tensor sums = sum_of_stretches<T>(
        "feed_forward", cut_, parameters_, 3 * s_.cost(), [&](std::int64_t begin, std::int64_t end, T* stretch_sums) {
          const Buffers buffers(*this, std::min(cut_.block, end - begin));
          for (std::int64_t row = begin; row < end; row += cut_.block) {
            run_block(row, std::min(cut_.block, end - row), gradients_in(stretch_sums).first, row > begin, dx, buffers);
          }
        });
    share_out(sums, result);
    return result;
  }

 private:
  /// Blocks of the cotangent that dropout leaves of the result's, of du, and of u and then f(u).
  struct Buffers {
    Scratch<T> dy, du, hidden;

    Buffers(const BackwardPass& pass, std::int64_t rows)
        : dy(pass.layer_.options.output_dropout.rate > 0 ? rows * pass.s_.out : 0),
          du(pass.needs_du_ ? rows * pass.s_.mlp : 0),
          hidden(pass.needs_hidden_ ? rows * pass.s_.mlp : 0) {}
  };

  /// The gradients that are wanted, one behind the other from `first` on, and how many numbers they are.
  std::pair<ParameterGradients<T>, std::int64_t> gradients_in(T* first) const {
    std::int64_t count = 0;
    auto place = [&](std::size_t input, const Tensor& parameter) -> T* {
      if (!b_.wants(input)) return nullptr;
      count += parameter.size();
      return first ? first + (count - parameter.size()) : nullptr;
    };
    ParameterGradients<T> d{};
    d.up = place(1, layer_.up);
    d.up_bias = place(2, layer_.up_bias);
    d.down = place(3, layer_.down);
    d.down_bias = place(4, layer_.down_bias);
    return {d, count};
  }

  void share_out(const Tensor& gradients, std::vector<Tensor>& result) const {
    const std::vector<Tensor> inputs = layer_.inputs();
    std::int64_t first = 0;
    for (std::size_t i = 1; i <= 4; ++i) {
      if (!b_.wants(i)) continue;
      result[i] = share_buffer(gradients, inputs[i].shape(), first);
      first += inputs[i].size();
    }
  }

  /// Sets the gradients of the parameters to what a block of rows gives, or adds that, and fills its part of dx unless
  /// that is null.
  void run_block(std::int64_t row, std::int64_t rows, const ParameterGradients<T>& d, bool add, T* dx,
                 const Buffers& buffers) const {
    const FeedForwardOptions& o = layer_.options;
    const std::int64_t first = row * s_.mlp, count = rows * s_.mlp;
    const Block<const T> x{layer_.x.data<T>() + row * s_.in, s_.in};
    const Block<const T> dy{upstream_of(row, rows, buffers.dy), s_.out};
    const Block<T> du{buffers.du, s_.mlp};
    const T* const kept = kept_of(row, rows, buffers.hidden);
    if (needs_du_) {
      down_.multiply(rows, dy, du);
      drop_block<T>(o.hidden_dropout, du.first, du.first, first, count);
    }
    T* const value = buffers.hidden;
    if (needs_hidden_) differentiate(kept, needs_du_ ? du.first : nullptr, d.down ? value : nullptr, count);
    if (d.down) {
      const Block<const T> hidden{hidden_of(kept, first, count, value), s_.mlp};
      multiply_transposed_a<T>(s_.out, s_.mlp, rows, dy, hidden, {d.down, s_.mlp}, add);
    }
    if (d.up) multiply_transposed_a<T>(s_.mlp, s_.in, rows, du, x, {d.up, s_.in}, add);
    if (dx) up_.multiply(rows, du, {dx + row * s_.in, s_.in});
    if (d.up_bias) sum_columns<T>(du.first, rows, s_.mlp, d.up_bias, add);
    if (d.down_bias) sum_columns(dy.first, rows, s_.out, d.down_bias, add);
  }

  /// The cotangent of what comes out of `down`.
  const T* upstream_of(std::int64_t row, std::int64_t rows, T* buffer) const {
    const DropoutMask& mask = layer_.options.output_dropout;
    const T* const dy = upstream_ + row * s_.out;
    drop_block(mask, dy, buffer, row * s_.out, rows * s_.out);
    return mask.rate > 0 ? buffer : dy;
  }

  /// What f' follows from, computed once more in `buffer` where it was not kept.
  const T* kept_of(std::int64_t row, std::int64_t rows, T* buffer) const {
    if (kept_) return kept_ + row * s_.mlp;
    if (!up_transposed_) return nullptr;
    const T *const x = layer_.x.data<T>() + row * s_.in, *const bias = data_or_null<T>(layer_.up_bias);
    up_transposed_->multiply(rows, {x, s_.in}, {buffer, s_.mlp}, {.bias = bias});
    const Activation activation = layer_.options.activation;
    if (slope_follows_from_value(activation)) activate_block<T>(activation, buffer, buffer, rows * s_.mlp);
    return buffer;
  }

  /// Turns da into du = f'(u)·da, and computes f(u) unless it is what was kept; nothing where the pointer is null.
  void differentiate(const T* kept, T* du, T* value, std::int64_t count) const {
    const Activation activation = layer_.options.activation;
    if (slope_follows_from_value(activation)) value = nullptr;
    for_elements(count, slope_cost, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t n = end - begin;
      if (du && value) {
        activate_both_ways(activation, du + begin, kept + begin, du + begin, value + begin, n);
      } else if (du) {
        activate_backward<T>(activation, du + begin, kept + begin, du + begin, n);
      } else if (value) {
        activate(activation, kept + begin, value + begin, n);
      }
    });
  }

  /// f(u) after dropout, from `buffer` or from what was kept.
  const T* hidden_of(const T* kept, std::int64_t first, std::int64_t count, T* buffer) const {
    const FeedForwardOptions& o = layer_.options;
    const T* const value = slope_follows_from_value(o.activation) ? kept : buffer;
    drop_block(o.hidden_dropout, value, buffer, first, count);
    return o.hidden_dropout.rate > 0 ? buffer : value;
  }

  const Layer& layer_;
  Sizes s_;
  const Backward& b_;
  const T *upstream_, *kept_;
  bool needs_du_, needs_hidden_;
  std::int64_t parameters_;
  RowCut cut_;
  ReusedOperand<T> down_, up_;
  std::optional<ReusedOperand<T>> up_transposed_;
};

/// Saved are x, the parameters, and what the slope follows from, or nothing.
std::vector<Tensor> feed_forward_vjp(const FeedForwardOptions& options, const Backward& b) {
  const Layer layer{b.saved(0), b.saved(1), b.saved(2), b.saved(3), b.saved(4), Tensor(), options};
  return with_float_type("feed_forward", layer.x.dtype(),
                         [&]<class T>() { return BackwardPass<T>(layer, b.saved(5), b).run(); });
}

// ---- Definition ----

Tensor definition(const FeedForwardOptions& o, const std::vector<Tensor>& inputs) {
  const Tensor &x = inputs[0], &up = inputs[1], &up_bias = inputs[2], &down = inputs[3], &down_bias = inputs[4],
               &residual = inputs[5];
  const Tensor hidden = dropout(linear(x, up, up_bias, o.activation), o.hidden_dropout.rate, o.hidden_dropout.key);
  const Tensor y = dropout(linear(hidden, down, down_bias), o.output_dropout.rate, o.output_dropout.key);
  return residual.defined() ? y + residual : y;
}

}  // namespace feed_forward_detail

Tensor feed_forward(const Tensor& x, const Tensor& up, const Tensor& up_bias, const Tensor& down,
                    const Tensor& down_bias, const Tensor& residual, const FeedForwardOptions& options) {
  using namespace feed_forward_detail;
  const Layer layer{x, up, up_bias, down, down_bias, residual, options};
  check_layer(layer);
  const Sizes s = sizes_of(layer);
  const Tensor y = empty(x.shape().with(-1, s.out), x.dtype());
  const bool keeps = !options.recompute && is_recording({x, up, up_bias, down, down_bias});
  const Tensor kept = keeps ? empty(x.shape().with(-1, s.mlp), x.dtype()) : Tensor();
  with_float_type("feed_forward", x.dtype(), [&]<class T>() { forward<T>(layer, s, kept, y); });
  record({.name = "feed_forward",
          .inputs = layer.inputs(),
          .outputs = {y},
          .saved = {x, up, up_bias, down, down_bias, kept},
          .vjp = [options](const Backward& b) { return feed_forward_vjp(options, b); },
          .flops = product_flops(s.rows, s.mlp, s.in + s.out),
          .recomputed_flops = keeps ? 0 : product_flops(s.rows, s.mlp, s.in),
          .definition =
              [options](const std::vector<Tensor>& inputs) { return std::vector{definition(options, inputs)}; }});
  return y;
}

}  // namespace lintel
