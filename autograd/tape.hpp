// The tape: a flat list of what was computed, walked backwards to get gradients.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <lintel/autograd/gradients.hpp>
#include <lintel/core/tensor.hpp>
#include <lintel/core/visit.hpp>

namespace lintel {

class Tape;

/// What a record remembers of an input or output: enough to follow and print it, without keeping its buffer alive.
struct TensorInfo {
  std::uint64_t id = 0;
  Shape shape;
  DType dtype = DType::float32;
};

/// A tensor kept for the backward pass, and the version its buffer had then.
struct SavedTensor {
  Tensor tensor;
  std::uint64_t version = 0;
};

/// What a vjp is given: the cotangents of the outputs, what the forward pass saved, and which inputs are wanted.
class Backward {
 public:
  Backward(std::vector<Tensor>& cotangents, const std::vector<SavedTensor>& saved, std::vector<bool> wanted)
      : cotangents_(cotangents), saved_(saved), wanted_(std::move(wanted)) {}

  /// The derivative of the scalar being differentiated with respect to output `output`; of the output's shape.
  const Tensor& cotangent(std::size_t output = 0) const { return cotangents_.at(output); }
  /// The same, handed over: once the vjp lets go of it, its memory is free for what the vjp goes on to compute.
  Tensor take_cotangent(std::size_t output = 0) const { return std::exchange(cotangents_.at(output), Tensor()); }
  /// Element `index` of `Operation::saved`.
  const Tensor& saved(std::size_t index) const { return saved_.at(index).tensor; }
  /// Whether the cotangent of input `input` is of use to anyone; a vjp computes no others.
  bool wants(std::size_t input) const { return wanted_.at(input); }

 private:
  std::vector<Tensor>& cotangents_;
  const std::vector<SavedTensor>& saved_;
  std::vector<bool> wanted_;
};

/// Vector–Jacobian product: from the cotangents of the outputs to one cotangent per input, undefined (`Tensor()`) where
/// `wants` is false or the input has no derivative.
using Vjp = std::function<std::vector<Tensor>(const Backward&)>;

/// A fused op written in primitives: from its inputs to its outputs.
using Definition = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

/// One application of an op, as an op's implementation hands it to the tapes.
struct Operation {
  const char* name = "";
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<Tensor> saved;
  Vjp vjp;
  /// Floating-point operations of its matrix products, forward, each product counted once; 0 where there are none.
  /// Their gradients take twice as many.
  double flops = 0;
  /// Those of products that are computed once more, most of them by the vjp, instead of keeping their results.
  double recomputed_flops = 0;
  /// For a fused op whose `vjp` is a kernel and so cannot be recorded: what it computes, in primitives. The tape then
  /// keeps the inputs and differentiates this instead when an outer tape watches an input or a cotangent.
  Definition definition = nullptr;
};

/// An `Operation` as it lies on a tape.
struct Record {
  std::string op;
  std::string layer;
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::vector<SavedTensor> saved;
  std::vector<SavedTensor> definition_inputs;
  Vjp vjp;
  DType precision = DType::float32;  ///< of its matrix products, see core/matmul_precision.hpp
  double flops = 0, recomputed_flops = 0;
  Definition definition;
};

/// How long one op of a tape took; see `Tape::measure_times`.
struct OpTime {
  std::string op;
  std::string layer;
  double flops = 0;             ///< of the products, forward
  double recomputed_flops = 0;  ///< of those that are computed once more for the backward pass
  std::size_t bytes = 0;        ///< of its inputs and outputs
  double forward_seconds = 0;   ///< since the record before it, so with what lies between two ops
  double backward_seconds = 0;  ///< of its vjp, and of adding the cotangents it gave to those of other uses
};

/// Whether any active tape of this thread watches one of `inputs`, directly or through earlier records. An op asks
/// before it computes something that only a backward pass needs.
bool is_recording(const std::vector<Tensor>& inputs);

/// Records `operation` on every active tape of this thread that watches one of its inputs.
void record(Operation operation);

/// Hides from the active tapes of this thread what is computed while it lives, and notes what they miss. Tapes made
/// meanwhile record as always. Scopes nest: what an inner one hides, an outer one learns of by what is recorded for it.
class HiddenFromTapes {
 public:
  HiddenFromTapes();
  ~HiddenFromTapes();
  HiddenFromTapes(const HiddenFromTapes&) = delete;
  HiddenFromTapes& operator=(const HiddenFromTapes&) = delete;

  /// The tensors that hidden tapes watch, directly or through their records, and that an op has read; each once.
  const std::vector<Tensor>& reads() const { return reads_; }
  /// The sums of `Operation::flops` and of `Operation::recomputed_flops`.
  double flops() const { return flops_; }
  double recomputed_flops() const { return recomputed_flops_; }
  /// Counts `x` among what was read if a hidden tape watches it.
  void note_read(const Tensor& x);

 private:
  friend void record(Operation operation);

  void note(const Operation& operation);

  std::vector<Tape*> hidden_;
  HiddenFromTapes* outer_;
  std::vector<Tensor> reads_;
  double flops_ = 0, recomputed_flops_ = 0;
};

/// Names the layer that is being computed while it lives; records and errors quote it. Scopes nest:
/// "blocks.0.attention".
class LayerScope {
 public:
  explicit LayerScope(const std::string& name);
  ~LayerScope();
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;

 private:
  std::size_t outer_length_;
};

struct GradientOptions {
  /// One cotangent per output; an output that is not a scalar needs one. Empty: 1 for each scalar.
  std::vector<Tensor> seeds = {};
  /// Keep the records for another call; otherwise they are freed as the pass goes and a second call is an error.
  bool keep = false;
};

/// Records the ops of this thread, from its construction to its destruction, that depend on what it watches.
/// Tapes nest; each records independently. A tape stays on the thread that made it.
class Tape {
 public:
  Tape();
  /// Watches every tensor of `module`, under its name.
  template <Module M>
  explicit Tape(const M& module) : Tape() {
    watch(module);
  }
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// From now on records what depends on `x`. Throws `Error` for a type that has no derivatives. `name` is for people.
  void watch(const Tensor& x, const std::string& name = "");
  template <Module M>
  void watch(const M& module) {
    for_each_tensor(module, [&](const std::string& name, const Tensor& x) { watch(x, name); });
  }

  /// d outputs / d wrt, by walking the records backwards. Without `wrt`: for everything watched. Outer tapes record the
  /// walk, this one does not. Throws `Error`: an output that is not a scalar without a seed, a seed of another shape, a
  /// saved tensor that was changed since, a tape that was consumed by an earlier call.
  Gradients gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                      const GradientOptions& options = {});
  Gradients gradients(const Tensor& output, const std::vector<Tensor>& wrt, const GradientOptions& options = {});
  Gradients gradients(const Tensor& output);

  const std::vector<Record>& records() const { return records_; }
  const std::vector<Tensor>& watched() const { return watched_; }
  /// Whether `watch` was called for the tensor of this identity.
  bool watches(std::uint64_t id) const;
  /// The name a watched tensor was given, or "".
  const std::string& name_of(std::uint64_t id) const;
  /// Bytes of all buffers that the records keep alive, each counted once.
  std::size_t saved_bytes() const;

  /// From now on notes how long each op takes, forward and backward.
  void measure_times();
  /// One entry per record since `measure_times`, also after the records were freed.
  const std::vector<OpTime>& times() const { return times_; }

 private:
  friend bool is_recording(const std::vector<Tensor>& inputs);
  friend void record(Operation operation);
  friend class HiddenFromTapes;
  friend Tensor checkpoint(std::function<Tensor()> f);

  /// The walk, from the cotangents that it starts with; these are freed as it goes.
  Gradients walk(std::unordered_map<std::uint64_t, Tensor> cotangents, const std::vector<Tensor>& wrt, bool keep);
  bool tracks(const std::vector<Tensor>& inputs) const;
  void append(const Operation& operation);
  void note_forward_time();
  void note_backward_time(std::size_t record);

  std::vector<Record> records_;
  std::vector<Tensor> watched_;
  std::unordered_map<std::uint64_t, std::string> names_;
  std::unordered_set<std::uint64_t> watched_ids_;
  std::unordered_set<std::uint64_t> tracked_;  // watched, or computed from something tracked
  std::shared_ptr<std::vector<Tape*>> stack_;  // the thread's; shared, so that a tape freed late finds it alive
  std::vector<OpTime> times_;
  std::size_t untimed_ = 0;  // records from before `measure_times`
  std::optional<std::chrono::steady_clock::time_point> last_event_;
  int hiding_ = 0;  // how many `HiddenFromTapes` hide what happens
  bool suspended_ = false;
  bool consumed_ = false;
};

/// `x` under a new identity, recorded as the identity function, so that a derivative "with respect to x" inside a
/// function is not confused with x outside of it.
Tensor fresh_identity(const Tensor& x);

/// `x` under a new identity that no tape connects to `x`: the only way to detach.
Tensor stop_gradient(const Tensor& x);

}  // namespace lintel
