// Reverse-mode differentiation in three parts, in the order of a training step:
//   recording   an op hands its `Operation` to every active tape that watches one of its inputs;
//   the walk    `Tape::gradients` goes over the records from the last to the first and turns the cotangents of each
//               record's outputs into cotangents of its inputs;
//   summing     a tensor used more than once receives the sum of the cotangents of its uses.
#include <algorithm>
#include <lintel/autograd/cotangent.hpp>
#include <lintel/autograd/tape.hpp>
#include <lintel/core/matmul_precision.hpp>
#include <utility>

namespace lintel {
namespace tape_detail {

std::shared_ptr<std::vector<Tape*>>& active_tapes() {
  thread_local auto stack = std::make_shared<std::vector<Tape*>>();
  return stack;
}

HiddenFromTapes*& innermost_hiding_scope() {
  thread_local HiddenFromTapes* scope = nullptr;
  return scope;
}

std::string& layer_path() {
  thread_local std::string path;
  return path;
}

TensorInfo info_of(const Tensor& x) { return {x.id(), x.shape(), x.dtype()}; }

std::vector<SavedTensor> save(const std::vector<Tensor>& tensors) {
  std::vector<SavedTensor> saved;
  saved.reserve(tensors.size());
  for (const Tensor& x : tensors) saved.push_back({x, x.version()});
  return saved;
}

std::string where(const Record& record) { return record.layer.empty() ? record.op : record.op + " in " + record.layer; }

void check_unchanged(const Record& record, const std::vector<SavedTensor>& saved) {
  for (const SavedTensor& kept : saved) {
    if (kept.tensor.version() == kept.version) continue;
    fail("backward of ", where(record), ": a tensor of shape ", kept.tensor.shape(), " that it saved was changed by ",
         kept.tensor.last_writer(), " after the forward pass, an unchanged one wanted");
  }
}

/// Sets a flag for the length of a scope, whatever way the scope ends.
class Raised {
 public:
  explicit Raised(bool& flag) : flag_(flag) { flag_ = true; }
  ~Raised() { flag_ = false; }
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;

 private:
  bool& flag_;
};

/// The seconds since `event`, which becomes now.
double seconds_since(std::chrono::steady_clock::time_point& event) {
  const auto now = std::chrono::steady_clock::now();
  return std::chrono::duration<double>(now - std::exchange(event, now)).count();
}

using CotangentMap = std::unordered_map<std::uint64_t, Tensor>;

/// Puts the cotangents that the walk starts from into a map.
CotangentMap seed_cotangents(const std::vector<Tensor>& outputs, const std::vector<Tensor>& seeds) {
  if (!seeds.empty() && seeds.size() != outputs.size()) {
    fail("gradients: ", seeds.size(), " seeds for ", outputs.size(), " outputs, one for each wanted");
  }
  CotangentMap cotangents;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    if (!output.defined() || !is_floating(output.dtype())) fail("gradients: output ", i, " has no derivative");
    if (seeds.empty() && output.size() != 1) {
      fail("gradients: output ", i, " has shape ", output.shape(), ", a scalar or a seed of that shape wanted");
    }
    const Tensor seed = seeds.empty() ? ones(output.shape(), output.dtype()) : seeds[i];
    if (seed.shape() != output.shape() || seed.dtype() != output.dtype()) {
      fail("gradients: seed ", i, " is ", seed.dtype(), " ", seed.shape(), ", output is ", output.dtype(), " ",
           output.shape());
    }
    const auto [place, is_new] = cotangents.try_emplace(output.id(), seed);
    if (!is_new) accumulate_cotangent(place->second, seed);
  }
  return cotangents;
}

/// The identities that depend on `wrt` according to `records`: only their cotangents are worth computing.
std::unordered_set<std::uint64_t> dependants(const std::vector<Record>& records, const std::vector<Tensor>& wrt) {
  std::unordered_set<std::uint64_t> reached;
  for (const Tensor& x : wrt) reached.insert(x.id());
  for (const Record& record : records) {
    const bool depends = std::any_of(record.inputs.begin(), record.inputs.end(),
                                     [&](const TensorInfo& input) { return reached.contains(input.id); });
    if (!depends) continue;
    for (const TensorInfo& output : record.outputs) reached.insert(output.id);
  }
  return reached;
}

/// Differentiates a fused op through its definition, which outer tapes record.
std::vector<Tensor> vjp_of_definition(const Record& record, const std::vector<Tensor>& cotangents,
                                      const std::vector<bool>& wanted) {
  Tape tape;
  std::vector<Tensor> inputs, wrt;
  for (std::size_t i = 0; i < record.definition_inputs.size(); ++i) {
    const Tensor& input = record.definition_inputs[i].tensor;
    inputs.push_back(wanted[i] ? fresh_identity(input) : input);
    if (!wanted[i]) continue;
    tape.watch(inputs.back());
    wrt.push_back(inputs.back());
  }
  const std::vector<Tensor> outputs = record.definition(inputs);
  const Gradients gradients = tape.gradients(outputs, wrt, {.seeds = cotangents});
  std::vector<Tensor> result(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (wanted[i]) result[i] = gradients[inputs[i]];
  }
  return result;
}

/// Whether an outer tape wants to differentiate the backward pass of `record` itself.
bool must_be_recorded(const Record& record, const std::vector<Tensor>& cotangents) {
  if (is_recording(cotangents)) return true;
  return std::any_of(record.definition_inputs.begin(), record.definition_inputs.end(),
                     [](const SavedTensor& input) { return is_recording({input.tensor}); });
}

/// From the cotangents of the outputs of `record` to those of its inputs.
std::vector<Tensor> pull_back(const Record& record, std::vector<Tensor>& cotangents, std::vector<bool> wanted) {
  check_unchanged(record, record.saved);
  check_unchanged(record, record.definition_inputs);
  const bool through_definition = record.definition && must_be_recorded(record, cotangents);
  const MatmulPrecision precision(record.precision);
  std::vector<Tensor> result;
  try {
    result = through_definition ? vjp_of_definition(record, cotangents, wanted)
                                : record.vjp(Backward(cotangents, record.saved, wanted));
  } catch (const Error& error) {
    fail("backward of ", where(record), ": ", error.what());
  }
  if (result.size() != record.inputs.size()) {
    fail("backward of ", where(record), ": its vjp returned ", result.size(), " cotangents for ", record.inputs.size(),
         " inputs");
  }
  return result;
}

/// Adds what a record's vjp returned to the cotangents of its inputs.
void deposit(const Record& record, std::vector<Tensor> results, const std::vector<bool>& wanted,
             CotangentMap& cotangents) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!wanted[i] || !results[i].defined()) continue;
    const TensorInfo& input = record.inputs[i];
    if (results[i].shape() != input.shape || results[i].dtype() != input.dtype) {
      fail("backward of ", where(record), ": the cotangent of input ", i, " is ", results[i].dtype(), " ",
           results[i].shape(), ", the input ", input.dtype, " ", input.shape);
    }
    Tensor& sum = cotangents[input.id];
    if (sum.defined()) {
      accumulate_cotangent(sum, results[i]);
    } else {
      sum = std::move(results[i]);
    }
  }
}

}  // namespace tape_detail

// ---- Recording -----------------------------------------------------------------------------------------------------

Tape::Tape() : stack_(tape_detail::active_tapes()) { stack_->push_back(this); }

Tape::~Tape() { std::erase(*stack_, this); }

void Tape::watch(const Tensor& x, const std::string& name) {
  if (!x.defined()) fail("watch: the tensor is undefined");
  if (!is_floating(x.dtype())) fail("watch: a tensor of ", x.dtype(), " has no derivatives");
  if (!name.empty()) names_[x.id()] = name;
  if (watches(x.id())) return;
  watched_.push_back(x);
  watched_ids_.insert(x.id());
  tracked_.insert(x.id());
}

bool Tape::tracks(const std::vector<Tensor>& inputs) const {
  if (hiding_ > 0 || suspended_ || consumed_ || tracked_.empty()) return false;
  return std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& x) { return tracked_.contains(x.id()); });
}

void Tape::append(const Operation& operation) {
  Record record{.op = operation.name,
                .layer = tape_detail::layer_path(),
                .inputs = {},
                .outputs = {},
                .saved = tape_detail::save(operation.saved),
                .definition_inputs = {},
                .vjp = operation.vjp,
                .precision = matmul_precision(),
                .flops = operation.flops,
                .recomputed_flops = operation.recomputed_flops,
                .definition = operation.definition};
  if (operation.definition) record.definition_inputs = tape_detail::save(operation.inputs);
  for (const Tensor& input : operation.inputs) record.inputs.push_back(tape_detail::info_of(input));
  for (const Tensor& output : operation.outputs) {
    record.outputs.push_back(tape_detail::info_of(output));
    tracked_.insert(output.id());
  }
  records_.push_back(std::move(record));
  if (last_event_) note_forward_time();
}

bool is_recording(const std::vector<Tensor>& inputs) {
  // An op that learns here that nobody listens may not record at all.
  if (HiddenFromTapes* scope = tape_detail::innermost_hiding_scope()) {
    for (const Tensor& input : inputs) scope->note_read(input);
  }
  const auto& tapes = *tape_detail::active_tapes();
  return std::any_of(tapes.begin(), tapes.end(), [&](const Tape* tape) { return tape->tracks(inputs); });
}

void record(Operation operation) {
  if (HiddenFromTapes* scope = tape_detail::innermost_hiding_scope()) scope->note(operation);
  for (Tape* tape : *tape_detail::active_tapes()) {
    if (tape->tracks(operation.inputs)) tape->append(operation);
  }
}

HiddenFromTapes::HiddenFromTapes()
    : hidden_(*tape_detail::active_tapes()), outer_(std::exchange(tape_detail::innermost_hiding_scope(), this)) {
  for (Tape* tape : hidden_) ++tape->hiding_;
}

HiddenFromTapes::~HiddenFromTapes() {
  tape_detail::innermost_hiding_scope() = outer_;
  for (Tape* tape : *tape_detail::active_tapes()) {  // a tape that was freed meanwhile is no longer among them
    if (std::find(hidden_.begin(), hidden_.end(), tape) != hidden_.end()) --tape->hiding_;
  }
}

void HiddenFromTapes::note(const Operation& operation) {
  for (const Tensor& input : operation.inputs) note_read(input);
  flops_ += operation.flops;
  recomputed_flops_ += operation.recomputed_flops;
}

void HiddenFromTapes::note_read(const Tensor& x) {
  const auto& tapes = *tape_detail::active_tapes();
  const bool missed = std::any_of(tapes.begin(), tapes.end(), [&](const Tape* tape) {
    return tape->hiding_ > 0 && !tape->suspended_ && !tape->consumed_ && tape->tracked_.contains(x.id());
  });
  const bool known =
      std::any_of(reads_.begin(), reads_.end(), [&](const Tensor& other) { return other.id() == x.id(); });
  if (missed && !known) reads_.push_back(x);
}

LayerScope::LayerScope(const std::string& name) : outer_length_(tape_detail::layer_path().size()) {
  std::string& path = tape_detail::layer_path();
  if (!path.empty()) path += '.';
  path += name;
}

LayerScope::~LayerScope() { tape_detail::layer_path().resize(outer_length_); }

Tensor fresh_identity(const Tensor& x) {
  Tensor y = share_buffer(x, x.shape());
  record({.name = "identity", .inputs = {x}, .outputs = {y}, .saved = {}, .vjp = [](const Backward& backward) {
            return std::vector{backward.cotangent()};
          }});
  return y;
}

Tensor stop_gradient(const Tensor& x) { return share_buffer(x, x.shape()); }

// ---- The walk ------------------------------------------------------------------------------------------------------

Gradients Tape::gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& wrt,
                          const GradientOptions& options) {
  if (consumed_) fail("gradients: this tape was consumed by an earlier call, pass .keep = true there for another");
  return walk(tape_detail::seed_cotangents(outputs, options.seeds), wrt, options.keep);
}

Gradients Tape::walk(std::unordered_map<std::uint64_t, Tensor> cotangents, const std::vector<Tensor>& wrt, bool keep) {
  using namespace tape_detail;
  const Raised suspension(suspended_);
  consumed_ = !keep;
  if (last_event_) last_event_ = std::chrono::steady_clock::now();
  const auto needed = dependants(records_, wrt);
  std::unordered_set<std::uint64_t> asked_for;
  for (const Tensor& x : wrt) asked_for.insert(x.id());

  for (std::size_t remaining = records_.size(); remaining-- > 0;) {
    Record& record = records_[remaining];
    std::vector<Tensor> output_cotangents(record.outputs.size());
    bool any_cotangent = false;
    for (std::size_t i = 0; i < record.outputs.size(); ++i) {
      const auto found = cotangents.find(record.outputs[i].id);
      if (found == cotangents.end()) continue;
      any_cotangent = true;
      output_cotangents[i] = found->second;
      if (!asked_for.contains(record.outputs[i].id)) cotangents.erase(found);
    }
    std::vector<bool> wanted(record.inputs.size());
    std::transform(record.inputs.begin(), record.inputs.end(), wanted.begin(),
                   [&](const TensorInfo& input) { return needed.contains(input.id); });
    if (any_cotangent && std::any_of(wanted.begin(), wanted.end(), [](bool want) { return want; })) {
      for (std::size_t i = 0; i < record.outputs.size(); ++i) {
        if (output_cotangents[i].defined()) continue;
        output_cotangents[i] = zero_cotangent(record.outputs[i].shape, record.outputs[i].dtype);
      }
      deposit(record, pull_back(record, output_cotangents, wanted), wanted, cotangents);
    }
    if (!keep) records_.pop_back();  // frees what this record saved before the next one allocates
    if (last_event_) note_backward_time(remaining);
  }

  Gradients result;
  for (const Tensor& x : wrt) {
    const auto found = cotangents.find(x.id());
    result.set(x, found != cotangents.end() ? found->second : zero_cotangent(x.shape(), x.dtype()));
  }
  return result;
}

Gradients Tape::gradients(const Tensor& output, const std::vector<Tensor>& wrt, const GradientOptions& options) {
  return gradients(std::vector{output}, wrt, options);
}

Gradients Tape::gradients(const Tensor& output) { return gradients(std::vector{output}, watched_); }

bool Tape::watches(std::uint64_t id) const { return watched_ids_.contains(id); }

const std::string& Tape::name_of(std::uint64_t id) const {
  static const std::string& nameless = *new std::string;
  const auto found = names_.find(id);
  return found == names_.end() ? nameless : found->second;
}

std::size_t Tape::saved_bytes() const {
  std::unordered_set<const void*> counted;
  std::size_t bytes = 0;
  for (const Record& record : records_) {
    for (const auto* saved : {&record.saved, &record.definition_inputs}) {
      for (const SavedTensor& kept : *saved) {
        if (counted.insert(kept.tensor.buffer()).second) bytes += kept.tensor.bytes();
      }
    }
  }
  return bytes;
}

// ---- Times ---------------------------------------------------------------------------------------------------------

void Tape::measure_times() {
  if (!last_event_) untimed_ = records_.size();
  last_event_ = std::chrono::steady_clock::now();
}

void Tape::note_forward_time() {
  const Record& record = records_.back();
  OpTime time{
      .op = record.op, .layer = record.layer, .flops = record.flops, .recomputed_flops = record.recomputed_flops};
  for (const auto* tensors : {&record.inputs, &record.outputs}) {
    for (const TensorInfo& x : *tensors) {
      if (x.id == 0) continue;  // an input that is not there
      time.bytes += static_cast<std::size_t>(x.shape.size()) * dtype_size(x.dtype);
    }
  }
  time.forward_seconds = tape_detail::seconds_since(*last_event_);
  times_.push_back(std::move(time));
}

void Tape::note_backward_time(std::size_t record) {
  const double seconds = tape_detail::seconds_since(*last_event_);
  if (record >= untimed_) times_[record - untimed_].backward_seconds += seconds;
}

}  // namespace lintel
