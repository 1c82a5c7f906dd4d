#include <lintel/train/prepared_run.hpp>

namespace lintel::train {

PreparedRun prepare_run(const RunConfig& config, std::optional<RunVocabulary> vocabulary) {
  if (config.task == "lm") return prepare_language_model(config, std::move(vocabulary));
  if (config.task == "seq2seq") return prepare_seq2seq(config, std::move(vocabulary));
  return prepare_classifier(config, std::move(vocabulary));
}

}  // namespace lintel::train
