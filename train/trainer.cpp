#include <lintel/train/trainer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/matmul_precision.hpp>
#include <lintel/nn/clip.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/train/interrupt.hpp>
#include <lintel/train/streams.hpp>

namespace lintel::train {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

std::int64_t steps_of_run(const RunConfig& config, std::int64_t steps_per_epoch) {
  if (config.steps > 0) return config.steps;
  return std::max<std::int64_t>(1, std::llround(std::ceil(config.epochs * static_cast<double>(steps_per_epoch))));
}

nn::Schedule build_schedule(const RunConfig& config, std::int64_t steps) {
  if (config.schedule == "constant") return nn::Schedule::constant(config.learning_rate);
  if (config.schedule == "inverse_sqrt") return nn::Schedule::inverse_sqrt(config.learning_rate, config.warmup);
  if (config.schedule == "warmup_linear") {
    return nn::Schedule::warmup_linear(config.learning_rate, config.warmup, steps);
  }
  return nn::Schedule::warmup_cosine(config.learning_rate, config.warmup, steps);
}

Trainer::Trainer(Task& task, const RunConfig& config, const RunFolder& folder, const TrainerOptions& options)
    : task_(task),
      config_(config),
      folder_(folder),
      options_(options),
      parameters_(task.parameters()),
      optimiser_(parameters_, nn::AdamWOptions{.weight_decay = config.weight_decay}),
      steps_(steps_of_run(config, task.steps_per_epoch())),
      schedule_(build_schedule(config, steps_)) {
  result_.steps = steps_;
  result_.state.fingerprint = task.fingerprint();
  if (options.resume && std::filesystem::exists(folder.state())) resume();
  if (options.out == nullptr) return;
  options_.display.first_step = result_.state.step;
  options_.display.steps = steps_;
  progress_ = std::make_unique<Progress>(*options.out, options_.display);
}

void Trainer::resume() {
  result_.state = load_checkpoint(folder_, parameters_, optimiser_);
  if (result_.state.fingerprint != task_.fingerprint()) {
    fail("resume: the training data is not what the run in ", folder_.root().string(), " was started with");
  }
}

TrainResult Trainer::run() {
  const MatmulPrecision precision(config_.dtype == "bfloat16" ? DType::bfloat16 : DType::float32);
  const InterruptGuard interrupt;
  const Stopwatch watch;
  if (result_.state.step == 0) {
    log_.emplace(folder_.log());
  } else {
    log_.emplace(folder_.log(), result_.state.step);
  }
  std::optional<StopReason> reason = stop_reason(0, false);
  while (!reason) {
    note(train_step());
    reason = stop_reason(watch.seconds(), interrupt.requested());
    const bool due = validation_due();
    // The end of the time is an end of the run, whose result someone waits for. Being interrupted is not, and
    // validating then would let a resumed run find a best step that an uninterrupted one never looks at.
    std::optional<Evaluation> validation;
    if (due || reason == StopReason::out_of_time) validation = validate();
    if (due || reason) checkpoint(validation);
    if (due && progress_) progress_->skip_pause();
  }
  if (progress_) progress_->finish();
  result_.reason = *reason;
  result_.signal = interrupt.signal_number();
  return result_;
}

std::optional<StopReason> Trainer::stop_reason(double seconds_of_run, bool interrupted) const {
  if (result_.state.step >= steps_) return StopReason::finished;
  if (interrupted) return StopReason::interrupted;
  if (options_.stop_at > 0 && result_.state.step >= options_.stop_at) return StopReason::stop_at;
  if (config_.minutes > 0 && seconds_of_run >= config_.minutes * 60) return StopReason::out_of_time;
  return std::nullopt;
}

bool Trainer::validation_due() const {
  const std::int64_t every = config_.eval_every > 0 ? config_.eval_every : task_.steps_per_epoch();
  return result_.state.step % every == 0 || result_.state.step == steps_;
}

Gradients Trainer::accumulate_gradients(const Task::Items& items, double& loss) {
  const nn::Training training{stream_key(config_.seed, RunStream::dropout), result_.state.step};
  const auto count = static_cast<std::int64_t>(items.size());
  const std::int64_t pieces = std::min(config_.accumulate, count);
  Gradients sum;
  for (std::int64_t i = 0; i < pieces; ++i) {
    const Task::Items piece(items.begin() + i * count / pieces, items.begin() + (i + 1) * count / pieces);
    const double share =
        static_cast<double>(task_.count_targets(piece)) / static_cast<double>(task_.count_targets(items));
    Tape tape;
    for (const auto& [name, parameter] : parameters_) tape.watch(parameter, name);
    const Tensor part = task_.loss(piece, training.child(static_cast<std::uint64_t>(i))) * share;
    loss += part.item();
    Gradients gradients = tape.gradients(part);
    if (i == 0) {
      sum = std::move(gradients);
    } else {
      sum += gradients;
    }
  }
  return sum;
}

Trainer::StepResult Trainer::train_step() {
  const Stopwatch watch;
  StepResult result;
  const Task::Items items = task_.items(result_.state.step);
  const Gradients gradients = accumulate_gradients(items, result.loss);
  result.gradient_norm = nn::global_norm(gradients);
  result.learning_rate = schedule_(result_.state.step + 1);
  require_finite(result);
  const double scale = config_.clip > 0 ? nn::clip_factor(result.gradient_norm, config_.clip) : 1;
  optimiser_.step(gradients, result.learning_rate, scale);
  ++result_.state.step;
  result.tokens = task_.count_tokens(items);
  result.seconds = watch.seconds();
  return result;
}

void Trainer::require_finite(const StepResult& result) const {
  if (std::isfinite(result.loss) && std::isfinite(result.gradient_norm)) return;
  fail("train: in step ", result_.state.step + 1, " the loss is ", result.loss, " and the norm of the gradient ",
       result.gradient_norm, "; try a lower learning_rate than ", config_.learning_rate, " or a longer warmup");
}

void Trainer::note(const StepResult& step) {
  const std::int64_t number = result_.state.step;
  result_.tokens += step.tokens;
  result_.seconds += step.seconds;
  if (progress_) progress_->update(number, step.loss, step.tokens.real);
  if (number % config_.log_every != 0 && number != 1 && number != steps_) return;
  log_->append({{"step", number},
                {"loss", step.loss},
                {"learning_rate", step.learning_rate},
                {"gradient_norm", step.gradient_norm},
                {"tokens", step.tokens.real},
                {"seconds", step.seconds}});
}

void Trainer::show(const std::string& text) {
  if (progress_) progress_->note(text);
}

std::optional<Evaluation> Trainer::validate() {
  const std::optional<Evaluation> evaluation = task_.evaluate();
  if (!evaluation) return std::nullopt;
  RunState& state = result_.state;
  const bool best = std::isfinite(evaluation->loss) && (!state.best || evaluation->better_than(*state.best));
  show("step " + std::to_string(state.step) + ": validation " + text_of(*evaluation) +
       (best ? ", the best so far" : ""));
  nlohmann::ordered_json record = {{"step", state.step}, {"validation_loss", evaluation->loss}};
  if (evaluation->accuracy) record["validation_accuracy"] = *evaluation->accuracy;
  log_->append(record);
  if (best) {
    state.best = evaluation;
    state.best_step = state.step;
    save_weights(folder_.best(), parameters_, state.step, evaluation);
  }
  result_.validation = evaluation;
  return evaluation;
}

void Trainer::checkpoint(const std::optional<Evaluation>& validation) {
  save_weights(folder_.last(), parameters_, result_.state.step, validation);
  save_checkpoint(folder_, parameters_, optimiser_, result_.state);
}

}  // namespace lintel::train
