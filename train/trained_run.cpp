#include <lintel/train/trained_run.hpp>

#include <string_view>

#include <lintel/core/error.hpp>
#include <lintel/train/build_model.hpp>
#include <lintel/train/checkpoint.hpp>

namespace lintel::train {
namespace {

const char* model_name(const std::string& task) {
  if (task == "lm") return "a language model";
  return task == "seq2seq" ? "an encoder–decoder model" : "a classifier";
}

/// Throws an `Error` unless the run has a model of the kind that the task trains.
void require_model_of(const std::string& task, const TrainedRun& run) {
  if (std::string_view(model_name(run.config.task)) == model_name(task)) return;
  fail("run: ", run.folder.root().string(), " holds ", model_name(run.config.task), ", and ", model_name(task),
       " is wanted");
}

template <class Model>
Model with_weights(Model model, const TrainedRun& run, const std::string& weights) {
  load_weights(run.folder.weights(weights), nn::named_parameters(model));
  return model;
}

}  // namespace

TrainedRun open_run(const std::string& path) {
  const RunFolder folder(path);
  const RunConfig config = load_run_config(folder);
  return {folder, config, load_run_vocabulary(folder, config)};
}

RowClassifier load_classifier(const TrainedRun& run, const std::string& weights) {
  require_model_of("classify", run);
  return with_weights(build_classifier(run.config, run.vocabulary), run, weights);
}

models::LanguageModel load_language_model(const TrainedRun& run, const std::string& weights) {
  require_model_of("lm", run);
  return with_weights(build_language_model(run.config, run.vocabulary), run, weights);
}

models::EncoderDecoder load_encoder_decoder(const TrainedRun& run, const std::string& weights) {
  require_model_of("seq2seq", run);
  return with_weights(build_encoder_decoder(run.config, run.vocabulary), run, weights);
}

}  // namespace lintel::train
