#include <lintel/train/trained_run.hpp>

#include <lintel/core/error.hpp>
#include <lintel/train/build_model.hpp>
#include <lintel/train/checkpoint.hpp>

namespace lintel::train {

TrainedRun open_run(const std::string& path) {
  const RunFolder folder(path);
  const RunConfig config = load_run_config(folder);
  return {folder, config, load_run_vocabulary(folder, config)};
}

RowClassifier load_classifier(const TrainedRun& run, const std::string& weights) {
  if (!run.classifies()) {
    fail("run: ", run.folder.root().string(), " holds a language model, and a classifier is wanted");
  }
  RowClassifier model = build_classifier(run.config, run.vocabulary);
  load_weights(run.folder.weights(weights), nn::named_parameters(model));
  return model;
}

models::LanguageModel load_language_model(const TrainedRun& run, const std::string& weights) {
  if (run.classifies()) {
    fail("run: ", run.folder.root().string(), " holds a classifier, and a language model is wanted");
  }
  models::LanguageModel model = build_language_model(run.config, run.vocabulary);
  load_weights(run.folder.weights(weights), nn::named_parameters(model));
  return model;
}

}  // namespace lintel::train
