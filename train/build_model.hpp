// From the settings of a run to its model.
#pragma once

#include <lintel/models/encoder_decoder.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/train/row_classifier.hpp>
#include <lintel/train/run_config.hpp>
#include <lintel/train/run_folder.hpp>

namespace lintel::train {

/// The classifier or dual encoder that `config` describes, with as many token rows and classes as `vocabulary` has. The
/// initial weights are a function of the seed.
RowClassifier build_classifier(const RunConfig& config, const RunVocabulary& vocabulary);

/// The language model that `config` describes.
models::LanguageModel build_language_model(const RunConfig& config, const RunVocabulary& vocabulary);

/// The encoder–decoder model that `config` describes.
models::EncoderDecoder build_encoder_decoder(const RunConfig& config, const RunVocabulary& vocabulary);

/// The settings with which `build_language_model` builds a model like this one; the others are the defaults.
RunConfig settings_of(const models::LanguageModelConfig& model);

}  // namespace lintel::train
