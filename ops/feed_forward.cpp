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

/// Either layer: hidden = f(u) or, where it is gated, f(u) ⊙ v, with u = x activatedᵀ + activated_bias and
/// v = x factorᵀ + factor_bias. Absent tensors are undefined.
struct Layer {
  bool gated;
  Tensor x, activated, activated_bias, factor, factor_bias, down, down_bias, residual;
  FeedForwardOptions options;

  const char* op() const { return gated ? "gated_feed_forward" : "feed_forward"; }

  /// In the order in which tapes see them.
  std::vector<Tensor> inputs() const {
    if (!gated) return {x, activated, activated_bias, down, down_bias, residual};
    return {x, activated, activated_bias, factor, factor_bias, down, down_bias, residual};
  }
};

/// Places among the inputs of a layer.
struct Places {
  std::size_t x = 0, activated = 1, activated_bias = 2, factor, factor_bias, down, down_bias, residual;

  /// The factor of a layer that is not gated has the places of `down`, and is not asked for.
  explicit Places(bool gated)
      : factor(3), factor_bias(4), down(gated ? 5 : 3), down_bias(down + 1), residual(down + 2) {}
};

/// u and v of a layer (…, mlp): f(u) in the place of u where the slope follows from that, and v undefined where there
/// is none.
struct Kept {
  Tensor u, v;
};

struct Sizes {
  std::int64_t rows, in, mlp, out;
  bool gated;

  /// Multiplications of a row's x by weights.
  std::int64_t up_products() const { return (gated ? 2 : 1) * mlp * in; }

  /// Operations of one row in one direction of one product after the other.
  double cost() const {
    return static_cast<double>(up_products() + mlp * out) / 16 + activation_cost * static_cast<double>(mlp);
  }
};

Sizes sizes_of(const Layer& layer) {
  const std::int64_t rows = leading_size(layer.x.shape(), 1);
  return {rows, layer.x.size(-1), layer.activated.size(0), layer.down.size(0), layer.gated};
}

// ---- Check ----

void check_weight(const Layer& layer, const Tensor& weight, std::int64_t in, const char* name, const char* wanted) {
  check_dtype(layer.op(), weight, layer.x.dtype(), name);
  if (weight.rank() != 2 || weight.size(1) != in) {
    fail(layer.op(), ": ", name, " has shape ", weight.shape(), ", (", wanted, ", ", in, ") wanted");
  }
}

void check_bias(const Layer& layer, const Tensor& bias, const Tensor& weight, const char* name) {
  if (bias.defined()) check_parameter(layer.op(), bias, layer.x.dtype(), weight.size(0), name);
}

void check_same_shape(const Layer& layer, const Tensor& found, const Shape& wanted, const char* name) {
  check_dtype(layer.op(), found, layer.x.dtype(), name);
  if (found.shape() != wanted) fail(layer.op(), ": ", name, " has shape ", found.shape(), ", ", wanted, " wanted");
}

void check_layer(const Layer& layer) {
  check_defined(layer.op(), layer.x, "x");
  if (layer.x.rank() == 0) fail(layer.op(), ": x is a scalar, (..., in) wanted");
  const char *const activated = layer.gated ? "gate" : "up", *const bias = layer.gated ? "gate_bias" : "up_bias";
  check_weight(layer, layer.activated, layer.x.size(-1), activated, "mlp");
  if (layer.gated) check_same_shape(layer, layer.factor, layer.activated.shape(), "up");
  check_weight(layer, layer.down, layer.activated.size(0), "down", "out");
  check_bias(layer, layer.activated_bias, layer.activated, bias);
  check_bias(layer, layer.factor_bias, layer.factor, "up_bias");
  check_bias(layer, layer.down_bias, layer.down, "down_bias");
  if (layer.residual.defined()) {
    check_same_shape(layer, layer.residual, layer.x.shape().with(-1, layer.down.size(0)), "residual");
  }
  check_dropout_rate(layer.op(), layer.options.hidden_dropout.rate);
  check_dropout_rate(layer.op(), layer.options.output_dropout.rate);
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

/// y = a ⊙ b; y may be a or b.
template <class T>
void multiply_elements(const T* a, const T* b, T* y, std::int64_t count) {
  active_kernels<T>()[Binary::mul].forward(a, 1, b, 1, y, count);
}

/// f(u) to `value`, which may be u, and f(u) ⊙ v to `hidden`, which may be `value`; v is null where there is none.
template <class T>
void activate_block(const Layer& layer, const T* u, const T* v, T* value, T* hidden, std::int64_t count) {
  const Activation activation = layer.options.activation;
  if (!v) return activate_block(activation, u, value, count);
  for_elements(count, activation_cost, [&](std::int64_t begin, std::int64_t end) {
    activate(activation, u + begin, value + begin, end - begin);
    multiply_elements(value + begin, v + begin, hidden + begin, end - begin);
  });
}

/// The weights that x meets, as the products of u and v read them.
template <class T>
class UpProducts {
 public:
  UpProducts(const Layer& layer, const Sizes& s, const RowCut& cut)
      : layer_(layer), s_(s), activated_(cut.blocks(), s.in, s.mlp, {layer.activated.data<T>(), s.in, true}) {
    if (layer.gated) factor_.emplace(cut.blocks(), s.in, s.mlp, GemmOperand<T>{layer.factor.data<T>(), s.in, true});
  }

  /// Fills u and, in a gated layer, v for the rows of x from `row` on.
  void multiply(std::int64_t row, std::int64_t rows, T* u, T* v) const {
    const ConstBlock<T> x{layer_.x.data<T>() + row * s_.in, s_.in};
    activated_.multiply(rows, x, {u, s_.mlp}, {.bias = data_or_null<T>(layer_.activated_bias)});
    if (factor_) factor_->multiply(rows, x, {v, s_.mlp}, {.bias = data_or_null<T>(layer_.factor_bias)});
  }

 private:
  const Layer& layer_;
  Sizes s_;
  ReusedOperand<T> activated_;
  std::optional<ReusedOperand<T>> factor_;
};

/// Fills y, and `kept` where it is defined with what the backward pass reads.
template <class T>
void forward(const Layer& layer, const Sizes& s, const Kept& kept, const Tensor& y) {
  const FeedForwardOptions& o = layer.options;
  const T *residual = data_or_null<T>(layer.residual), *down_bias = data_or_null<T>(layer.down_bias);
  T* const kept_u = kept.u.defined() ? write<T>(kept.u, layer.op()) : nullptr;
  T* const kept_v = kept.v.defined() ? write<T>(kept.v, layer.op()) : nullptr;
  T* const result = write<T>(y, layer.op());
  const RowCut cut = cut_rows(s.rows, s.mlp, 0);
  const UpProducts<T> up(layer, s, cut);
  const ReusedOperand<T> down(cut.blocks(), s.mlp, s.out, {layer.down.data<T>(), s.mlp, true});
  const bool keeps_value = kept_u && slope_follows_from_value(o.activation);
  const bool in_place = keeps_value && !layer.gated && o.hidden_dropout.rate == 0;
  auto run_block = [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin, first = begin * s.mlp, count = rows * s.mlp;
    const Scratch<T> scratch(in_place ? 0 : count), factor_scratch(layer.gated && !kept_v ? count : 0);
    T* const u = kept_u ? kept_u + first : scratch;
    T* const v = !layer.gated ? nullptr : kept_v ? kept_v + first : factor_scratch;
    T* const value = keeps_value ? u : scratch;  // f(u)
    T* const hidden = in_place ? u : scratch;    // f(u) ⊙ v, after dropout
    T* const to = result + begin * s.out;
    up.multiply(begin, rows, u, v);
    activate_block<T>(layer, u, v, value, hidden, count);
    drop_block(o.hidden_dropout, layer.gated ? hidden : value, hidden, first, count);
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
  T *activated, *activated_bias, *factor, *factor_bias, *down, *down_bias;
};

/// Cotangents of x and of the parameters, from those of the result.
template <class T>
class BackwardPass {
 public:
  BackwardPass(const Layer& layer, const Kept& kept, const Backward& b)
      : layer_(layer),
        s_(sizes_of(layer)),
        at_(layer.gated),
        b_(b),
        upstream_(b.cotangent().data<T>()),
        kept_u_(data_or_null<T>(kept.u)),
        kept_v_(data_or_null<T>(kept.v)),
        needs_du_(b.wants(at_.x) || b.wants(at_.activated) || b.wants(at_.activated_bias)),
        needs_dv_(layer.gated && (b.wants(at_.x) || b.wants(at_.factor) || b.wants(at_.factor_bias))),
        needs_hidden_(needs_du_ || needs_dv_ || b.wants(at_.down)),
        parameters_(gradients_in(nullptr).second),
        cut_(cut_rows(s_.rows, s_.mlp, parameters_)),
        down_(needs_du_ || needs_dv_ ? cut_.blocks() : 0, s_.out, s_.mlp, {layer.down.data<T>(), s_.mlp}) {
    if (!kept_u_ && needs_hidden_) up_.emplace(layer, s_, cut_);
    if (!b.wants(at_.x)) return;
    dx_of_u_.emplace(cut_.blocks(), s_.mlp, s_.in, GemmOperand<T>{layer.activated.data<T>(), s_.in});
    if (!layer.gated) return;
    dx_of_v_.emplace(cut_.blocks(), s_.mlp, s_.in, GemmOperand<T>{layer.factor.data<T>(), s_.in});
  }

  std::vector<Tensor> run() {
    std::vector<Tensor> result(at_.residual + 1);
    if (b_.wants(at_.x)) result[at_.x] = empty(layer_.x.shape(), layer_.x.dtype());
    if (b_.wants(at_.residual)) result[at_.residual] = b_.cotangent();
    T* const dx = b_.wants(at_.x) ? write<T>(result[at_.x], layer_.op()) : nullptr;
    const Tensor sums = sum_of_stretches<T>(
        layer_.op(), cut_, parameters_, 3 * s_.cost(), [&](std::int64_t begin, std::int64_t end, T* stretch_sums) {
          const Buffers buffers(*this, std::min(cut_.block, end - begin));
          for (std::int64_t row = begin; row < end; row += cut_.block) {
            run_block(row, std::min(cut_.block, end - row), gradients_in(stretch_sums).first, row > begin, dx, buffers);
          }
        });
    share_out(sums, result);
    return result;
  }

 private:
  /// Blocks of the cotangent that dropout leaves of the result's, of du, of dv, of u and then hidden, and of v. The
  /// cotangent of hidden is where that of v shall be or, in a layer that is not gated, that of u.
  struct Buffers {
    Scratch<T> dy, du, dv, hidden, v;

    Buffers(const BackwardPass& pass, std::int64_t rows)
        : dy(pass.layer_.options.output_dropout.rate > 0 ? rows * pass.s_.out : 0),
          du(pass.needs_du_ ? rows * pass.s_.mlp : 0),
          dv(pass.layer_.gated && (pass.needs_du_ || pass.needs_dv_) ? rows * pass.s_.mlp : 0),
          hidden(pass.needs_hidden_ ? rows * pass.s_.mlp : 0),
          v(pass.layer_.gated && pass.up_ ? rows * pass.s_.mlp : 0) {}
  };

  /// What the backward pass reads of a block's u, or f(u), and v.
  struct KeptBlock {
    const T *u, *v;
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
    d.activated = place(at_.activated, layer_.activated);
    d.activated_bias = place(at_.activated_bias, layer_.activated_bias);
    if (layer_.gated) {
      d.factor = place(at_.factor, layer_.factor);
      d.factor_bias = place(at_.factor_bias, layer_.factor_bias);
    }
    d.down = place(at_.down, layer_.down);
    d.down_bias = place(at_.down_bias, layer_.down_bias);
    return {d, count};
  }

  void share_out(const Tensor& gradients, std::vector<Tensor>& result) const {
    const std::vector<Tensor> inputs = layer_.inputs();
    std::int64_t first = 0;
    for (std::size_t i = at_.activated; i <= at_.down_bias; ++i) {
      if (!b_.wants(i)) continue;
      result[i] = share_buffer(gradients, inputs[i].shape(), first);
      first += inputs[i].size();
    }
  }

  /// Sets the gradients of the parameters to what a block of rows gives, or adds that, and fills its part of dx unless
  /// that is null.
  void run_block(std::int64_t row, std::int64_t rows, const ParameterGradients<T>& d, bool add, T* dx,
                 const Buffers& buffers) const {
    const DropoutMask& mask = layer_.options.hidden_dropout;
    const std::int64_t first = row * s_.mlp, count = rows * s_.mlp;
    const Block<const T> x{layer_.x.data<T>() + row * s_.in, s_.in};
    const Block<const T> dy{upstream_of(row, rows, buffers.dy), s_.out};
    const Block<T> du{buffers.du, s_.mlp}, dv{buffers.dv, s_.mlp}, dhidden = layer_.gated ? dv : du;
    const KeptBlock kept = kept_of(row, rows, buffers);
    if (needs_du_ || needs_dv_) {
      down_.multiply(rows, dy, dhidden);
      drop_block<T>(mask, dhidden.first, dhidden.first, first, count);
    }
    if (needs_hidden_) differentiate(kept, d.down != nullptr, count, buffers);
    if (d.down) {
      const Block<const T> hidden{hidden_of(kept.u, first, count, buffers.hidden), s_.mlp};
      multiply_transposed_a<T>(s_.out, s_.mlp, rows, dy, hidden, {d.down, s_.mlp}, add);
    }
    if (d.activated) multiply_transposed_a<T>(s_.mlp, s_.in, rows, du, x, {d.activated, s_.in}, add);
    if (d.factor) multiply_transposed_a<T>(s_.mlp, s_.in, rows, dv, x, {d.factor, s_.in}, add);
    if (dx) dx_of_u_->multiply(rows, du, {dx + row * s_.in, s_.in});
    if (dx && dx_of_v_) dx_of_v_->multiply(rows, dv, {dx + row * s_.in, s_.in}, {.accumulate = true});
    if (d.activated_bias) sum_columns<T>(du.first, rows, s_.mlp, d.activated_bias, add);
    if (d.factor_bias) sum_columns<T>(dv.first, rows, s_.mlp, d.factor_bias, add);
    if (d.down_bias) sum_columns(dy.first, rows, s_.out, d.down_bias, add);
  }

  /// The cotangent of what comes out of `down`.
  const T* upstream_of(std::int64_t row, std::int64_t rows, T* buffer) const {
    const DropoutMask& mask = layer_.options.output_dropout;
    const T* const dy = upstream_ + row * s_.out;
    drop_block(mask, dy, buffer, row * s_.out, rows * s_.out);
    return mask.rate > 0 ? buffer : dy;
  }

  /// What was kept of a block, computed once more in the buffers where nothing was.
  KeptBlock kept_of(std::int64_t row, std::int64_t rows, const Buffers& buffers) const {
    if (kept_u_) return {kept_u_ + row * s_.mlp, kept_v_ ? kept_v_ + row * s_.mlp : nullptr};
    if (!up_) return {nullptr, nullptr};
    T* const u = buffers.hidden;
    up_->multiply(row, rows, u, buffers.v);
    const Activation activation = layer_.options.activation;
    if (slope_follows_from_value(activation)) activate_block<T>(activation, u, u, rows * s_.mlp);
    return {u, buffers.v};
  }

  /// Fills du, dv and hidden, which is where f(u) is in a layer that is not gated, from what was kept and from the
  /// cotangent of hidden; leaves out what is not wanted.
  void differentiate(const KeptBlock& kept, bool needs_value, std::int64_t count, const Buffers& buffers) const {
    T* const du = needs_du_ ? static_cast<T*>(buffers.du) : nullptr;
    T* const value = needs_value || needs_dv_ ? static_cast<T*>(buffers.hidden) : nullptr;
    if (!layer_.gated) {
      return for_elements(count, slope_cost, [&](std::int64_t begin, std::int64_t end) {
        differentiate_activation(kept.u + begin, du ? du + begin : nullptr, value ? value + begin : nullptr,
                                 end - begin);
      });
    }
    const T* const f = slope_follows_from_value(layer_.options.activation) ? kept.u : value;
    T *const dv = buffers.dv, *const hidden = buffers.hidden;
    for_elements(count, slope_cost, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t n = end - begin;
      const T* const v = kept.v + begin;
      if (du) multiply_elements<T>(dv + begin, v, du + begin, n);  // dv holds the cotangent of hidden
      differentiate_activation(kept.u + begin, du ? du + begin : nullptr, value ? value + begin : nullptr, n);
      if (needs_dv_) multiply_elements<T>(dv + begin, f + begin, dv + begin, n);
      if (needs_value) multiply_elements<T>(f + begin, v, hidden + begin, n);
    });
  }

  /// Turns the cotangent of f(u) into du, and computes f(u) unless it is what was kept; nothing where the pointer is
  /// null.
  void differentiate_activation(const T* kept, T* du, T* value, std::int64_t count) const {
    const Activation activation = layer_.options.activation;
    if (slope_follows_from_value(activation)) value = nullptr;
    if (du && value) {
      activate_both_ways(activation, du, kept, du, value, count);
    } else if (du) {
      activate_backward<T>(activation, du, kept, du, count);
    } else if (value) {
      activate(activation, kept, value, count);
    }
  }

  /// hidden after dropout, from `buffer` or from what was kept.
  const T* hidden_of(const T* kept, std::int64_t first, std::int64_t count, T* buffer) const {
    const FeedForwardOptions& o = layer_.options;
    const T* const value = !layer_.gated && slope_follows_from_value(o.activation) ? kept : buffer;
    drop_block(o.hidden_dropout, value, buffer, first, count);
    return o.hidden_dropout.rate > 0 ? buffer : value;
  }

  const Layer& layer_;
  Sizes s_;
  Places at_;
  const Backward& b_;
  const T *upstream_, *kept_u_, *kept_v_;
  bool needs_du_, needs_dv_, needs_hidden_;
  std::int64_t parameters_;
  RowCut cut_;
  ReusedOperand<T> down_;
  std::optional<UpProducts<T>> up_;
  std::optional<ReusedOperand<T>> dx_of_u_, dx_of_v_;
};

/// Saved are x, the parameters, and what was kept.
std::vector<Tensor> feed_forward_vjp(bool gated, const FeedForwardOptions& options, const Backward& b) {
  const Layer layer{gated,      b.saved(0), b.saved(1), b.saved(2), b.saved(3),
                    b.saved(4), b.saved(5), b.saved(6), Tensor(),   options};
  const Kept kept{b.saved(7), b.saved(8)};
  return with_float_type(layer.op(), layer.x.dtype(), [&]<class T>() { return BackwardPass<T>(layer, kept, b).run(); });
}

// ---- Definition ----

Tensor definition(bool gated, const FeedForwardOptions& o, const std::vector<Tensor>& inputs) {
  const Places at(gated);
  const Tensor &x = inputs[at.x], &residual = inputs[at.residual];
  const Tensor value = linear(x, inputs[at.activated], inputs[at.activated_bias], o.activation);
  const Tensor gated_value = gated ? value * linear(x, inputs[at.factor], inputs[at.factor_bias]) : value;
  const Tensor hidden = dropout(gated_value, o.hidden_dropout.rate, o.hidden_dropout.key);
  const Tensor y =
      dropout(linear(hidden, inputs[at.down], inputs[at.down_bias]), o.output_dropout.rate, o.output_dropout.key);
  return residual.defined() ? y + residual : y;
}

Tensor run(const Layer& layer) {
  check_layer(layer);
  const Sizes s = sizes_of(layer);
  const DType dtype = layer.x.dtype();
  const Tensor y = empty(layer.x.shape().with(-1, s.out), dtype);
  std::vector<Tensor> saved{layer.x,           layer.activated, layer.activated_bias, layer.factor,
                            layer.factor_bias, layer.down,      layer.down_bias};
  const bool keeps = !layer.options.recompute && is_recording(saved);
  Kept kept;
  if (keeps) kept.u = empty(layer.x.shape().with(-1, s.mlp), dtype);
  if (keeps && layer.gated) kept.v = empty(kept.u.shape(), dtype);
  with_float_type(layer.op(), dtype, [&]<class T>() { forward<T>(layer, s, kept, y); });
  saved.insert(saved.end(), {kept.u, kept.v});
  const double up_flops = product_flops(s.rows, s.up_products(), 1);
  record({.name = layer.op(),
          .inputs = layer.inputs(),
          .outputs = {y},
          .saved = std::move(saved),
          .vjp = [gated = layer.gated,
                  options = layer.options](const Backward& b) { return feed_forward_vjp(gated, options, b); },
          .flops = up_flops + product_flops(s.rows, s.mlp, s.out),
          .recomputed_flops = keeps ? 0 : up_flops,
          .definition =
              [gated = layer.gated, options = layer.options](const std::vector<Tensor>& inputs) {
                return std::vector{definition(gated, options, inputs)};
              }});
  return y;
}

}  // namespace feed_forward_detail

Tensor feed_forward(const Tensor& x, const Tensor& up, const Tensor& up_bias, const Tensor& down,
                    const Tensor& down_bias, const Tensor& residual, const FeedForwardOptions& options) {
  return feed_forward_detail::run({.gated = false,
                                   .x = x,
                                   .activated = up,
                                   .activated_bias = up_bias,
                                   .factor = Tensor(),
                                   .factor_bias = Tensor(),
                                   .down = down,
                                   .down_bias = down_bias,
                                   .residual = residual,
                                   .options = options});
}

Tensor gated_feed_forward(const Tensor& x, const Tensor& gate, const Tensor& gate_bias, const Tensor& up,
                          const Tensor& up_bias, const Tensor& down, const Tensor& down_bias, const Tensor& residual,
                          const FeedForwardOptions& options) {
  return feed_forward_detail::run({.gated = true,
                                   .x = x,
                                   .activated = gate,
                                   .activated_bias = gate_bias,
                                   .factor = up,
                                   .factor_bias = up_bias,
                                   .down = down,
                                   .down_bias = down_bias,
                                   .residual = residual,
                                   .options = options});
}

}  // namespace lintel
