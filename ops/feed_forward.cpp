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
  std::int64_t block;    // rows that go through the layer at once
  std::int64_t stretch;  // rows, whole blocks, whose gradients of the weights are summed in one place

  std::int64_t blocks() const { return (rows + block - 1) / block; }
  std::int64_t stretches() const { return std::max<std::int64_t>(1, (rows + stretch - 1) / stretch); }
  /// Operations of one row in one direction of one product after the other.
  double cost() const {
    return static_cast<double>(mlp * (in + out)) / 16 + activation_cost * static_cast<double>(mlp);
  }
};

/// A block of u should fit the second-level cache beside a part of a weight. There are enough blocks for the threads of
/// a larger machine, but no stretches so short that summing their gradients costs more than it spreads. Blocks begin at
/// multiples of 8 rows, and so do the counters of dropout.
Sizes sizes_of(const Layer& layer) {
  constexpr std::int64_t block_elements = 1 << 17, lowest_block = 32, enough = 16, shortest_stretch = 256;
  Sizes s{leading_size(layer.x.shape(), 1), layer.x.size(-1), layer.up.size(0), layer.down.size(0), 0, 0};
  const std::int64_t fitting = block_elements / std::max<std::int64_t>(1, s.mlp),
                     share = (s.rows + enough - 1) / enough;
  s.block = (std::clamp(std::min(fitting, share), lowest_block, std::int64_t{512}) + 7) / 8 * 8;
  s.stretch = (std::max(shortest_stretch, share) + s.block - 1) / s.block * s.block;
  return s;
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

/// Calls `body(begin, end)` for all blocks of rows. A single block may use all threads for its products.
template <class Body>
void for_blocks(const Sizes& s, double cost, Body&& body) {
  if (s.blocks() == 1) return body(0, s.rows);
  parallel_blocks(s.rows, s.block, cost, body);
}

/// upᵀ as the products x upᵀ read it.
template <class T>
ReusedOperand<T> up_transposed(const Layer& layer, const Sizes& s) {
  return {s.blocks(), s.in, s.mlp, {layer.up.data<T>(), s.in, true}};
}

/// Fills y, and `kept` where it is defined with what the backward pass reads: u, or f(u) where the slope follows from
/// that.
template <class T>
void forward(const Layer& layer, const Sizes& s, const Tensor& kept, const Tensor& y) {
  const FeedForwardOptions& o = layer.options;
  const T *x = layer.x.data<T>(), *residual = data_or_null<T>(layer.residual);
  const T *up_bias = data_or_null<T>(layer.up_bias), *down_bias = data_or_null<T>(layer.down_bias);
  T *keep = kept.defined() ? write<T>(kept, "feed_forward") : nullptr, *result = write<T>(y, "feed_forward");
  const ReusedOperand<T> up = up_transposed<T>(layer, s);
  const ReusedOperand<T> down(s.blocks(), s.mlp, s.out, {layer.down.data<T>(), s.mlp, true});
  const bool keeps_value = keep && slope_follows_from_value(o.activation);
  for_blocks(s, s.cost(), [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin, first = begin * s.mlp, count = rows * s.mlp;
    const bool in_place = keeps_value && o.hidden_dropout.rate == 0;
    const Scratch<T> scratch(in_place ? 0 : count);
    T* const u = keep ? keep + first : scratch;
    T* const value = keeps_value ? u : scratch;  // f(u)
    T* const hidden = in_place ? u : scratch;    // after dropout
    T* const to = result + begin * s.out;
    up.multiply(rows, {x + begin * s.in, s.in}, {u, s.mlp}, {.bias = up_bias});
    activate(o.activation, u, value, count);
    if (o.hidden_dropout.rate > 0) apply_dropout(o.hidden_dropout, value, hidden, first, count);
    down.multiply(rows, {hidden, s.mlp}, {to, s.out}, {.bias = down_bias});
    if (o.output_dropout.rate > 0) apply_dropout(o.output_dropout, to, to, begin * s.out, rows * s.out);
    if (residual) active_kernels<T>().add_into(residual + begin * s.out, to, rows * s.out);
  });
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
        down_(needs_du_ ? s_.blocks() : 0, s_.out, s_.mlp, {layer.down.data<T>(), s_.mlp}),
        up_(b.wants(0) ? s_.blocks() : 0, s_.mlp, s_.in, {layer.up.data<T>(), s_.in}) {
    if (!kept_ && needs_hidden()) up_transposed_.emplace(up_transposed<T>(layer, s_));
  }

  std::vector<Tensor> run() {
    std::vector<Tensor> result(6);
    if (b_.wants(0)) result[0] = empty(layer_.x.shape(), layer_.x.dtype());
    if (b_.wants(5)) result[5] = b_.cotangent();
    T* const dx = b_.wants(0) ? write<T>(result[0], "feed_forward") : nullptr;
    const std::int64_t count = gradients_in(nullptr).second;
    const Tensor sums = empty({s_.stretches(), count}, dtype_of<T>());
    T* const first_sum = write<T>(sums, "feed_forward");
    auto run_stretch = [&](std::int64_t index) {
      T* const sum = first_sum + index * count;
      const std::int64_t begin = index * s_.stretch, end = std::min(s_.rows, begin + s_.stretch);
      std::fill(sum, sum + count, T(0));
      const Buffers buffers(*this);
      for (std::int64_t row = begin; row < end; row += s_.block) {
        run_block(row, std::min(s_.block, end - row), gradients_in(sum).first, dx, buffers);
      }
    };
    if (s_.stretches() == 1) {  // its products may use all threads
      run_stretch(0);
    } else {
      parallel_for(s_.stretches(), 3 * s_.cost() * static_cast<double>(s_.stretch), run_stretch);
    }
    share_out(sum_of_blocks<T>("feed_forward", sums), result);
    return result;
  }

 private:
  /// Blocks of dropout's cotangent of the result, of du, and of u and then f(u).
  struct Buffers {
    Scratch<T> dy, du, hidden;

    explicit Buffers(const BackwardPass& pass)
        : dy(pass.layer_.options.output_dropout.rate > 0 ? pass.s_.block * pass.s_.out : 0),
          du(pass.needs_du_ ? pass.s_.block * pass.s_.mlp : 0),
          hidden(pass.needs_hidden() ? pass.s_.block * pass.s_.mlp : 0) {}
  };

  bool needs_hidden() const { return needs_du_ || b_.wants(3); }

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

  /// Adds to the gradients of the parameters what a block of rows gives, and fills its part of dx unless that is null.
  void run_block(std::int64_t row, std::int64_t rows, const ParameterGradients<T>& d, T* dx,
                 const Buffers& buffers) const {
    const FeedForwardOptions& o = layer_.options;
    const std::int64_t first = row * s_.mlp, count = rows * s_.mlp;
    const Block<const T> x{layer_.x.data<T>() + row * s_.in, s_.in};
    const Block<const T> dy{upstream_of(row, rows, buffers.dy), s_.out};
    const T* const kept = kept_of(row, rows, buffers.hidden);
    if (needs_du_) {
      down_.multiply(rows, dy, {buffers.du, s_.mlp});
      if (o.hidden_dropout.rate > 0) apply_dropout<T>(o.hidden_dropout, buffers.du, buffers.du, first, count);
      activate_backward<T>(o.activation, buffers.du, kept, buffers.du, count);
    }
    if (d.down) {
      const Block<const T> hidden{hidden_of(kept, first, count, buffers.hidden), s_.mlp};
      multiply_transposed_a<T>(s_.out, s_.mlp, rows, dy, hidden, {d.down, s_.mlp}, true);
    }
    if (d.up) multiply_transposed_a<T>(s_.mlp, s_.in, rows, {buffers.du, s_.mlp}, x, {d.up, s_.in}, true);
    if (dx) up_.multiply(rows, {buffers.du, s_.mlp}, {dx + row * s_.in, s_.in});
    if (d.up_bias) active_kernels<T>().add_column_sums(buffers.du, s_.mlp, d.up_bias, rows, s_.mlp);
    if (d.down_bias) active_kernels<T>().add_column_sums(dy.first, s_.out, d.down_bias, rows, s_.out);
  }

  /// The cotangent of what comes out of `down`.
  const T* upstream_of(std::int64_t row, std::int64_t rows, T* buffer) const {
    const DropoutMask& mask = layer_.options.output_dropout;
    const std::int64_t first = row * s_.out;
    if (mask.rate == 0) return upstream_ + first;
    apply_dropout(mask, upstream_ + first, buffer, first, rows * s_.out);
    return buffer;
  }

  /// What f' follows from, computed once more in `buffer` where it was not kept.
  const T* kept_of(std::int64_t row, std::int64_t rows, T* buffer) const {
    if (kept_) return kept_ + row * s_.mlp;
    if (!up_transposed_) return nullptr;
    const T* const bias = data_or_null<T>(layer_.up_bias);
    up_transposed_->multiply(rows, {layer_.x.data<T>() + row * s_.in, s_.in}, {buffer, s_.mlp}, {.bias = bias});
    const Activation activation = layer_.options.activation;
    if (slope_follows_from_value(activation)) activate<T>(activation, buffer, buffer, rows * s_.mlp);
    return buffer;
  }

  /// f(u) after dropout, in `buffer` where that is not what was kept.
  const T* hidden_of(const T* kept, std::int64_t first, std::int64_t count, T* buffer) const {
    const FeedForwardOptions& o = layer_.options;
    if (!slope_follows_from_value(o.activation)) {
      activate(o.activation, kept, buffer, count);
      kept = buffer;
    }
    if (o.hidden_dropout.rate == 0) return kept;
    apply_dropout(o.hidden_dropout, kept, buffer, first, count);
    return buffer;
  }

  const Layer& layer_;
  Sizes s_;
  const Backward& b_;
  const T *upstream_, *kept_;
  bool needs_du_;
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
          .definition =
              [options](const std::vector<Tensor>& inputs) { return std::vector{definition(options, inputs)}; }});
  return y;
}

}  // namespace lintel
