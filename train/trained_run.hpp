// A run's folder as something to use.
#pragma once

#include <string>

#include <lintel/models/encoder_decoder.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/train/row_classifier.hpp>
#include <lintel/train/run_config.hpp>
#include <lintel/train/run_folder.hpp>

namespace lintel::train {

/// All of a run but its weights.
struct TrainedRun {
  RunFolder folder;
  RunConfig config;
  RunVocabulary vocabulary;

  bool classifies() const { return train::classifies(config); }
};

/// Reads the run in the folder `path`. Throws `Error` if there is none or a file of it is damaged.
TrainedRun open_run(const std::string& path);

/// The classifier of `run` with the weights called `weights` (see `RunFolder::weights`). Throws `Error` if the run is
/// not of a classifier, or the weights are missing, damaged or of another model.
RowClassifier load_classifier(const TrainedRun& run, const std::string& weights);

/// The language model of `run`; as `load_classifier`.
models::LanguageModel load_language_model(const TrainedRun& run, const std::string& weights);

/// The encoder–decoder model of `run`; as `load_classifier`.
models::EncoderDecoder load_encoder_decoder(const TrainedRun& run, const std::string& weights);

}  // namespace lintel::train
