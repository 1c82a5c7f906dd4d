#include <lintel/train/run_folder.hpp>

#include <nlohmann/json.hpp>

#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>

namespace lintel::train {

std::filesystem::path RunFolder::weights(const std::string& name) const {
  if (name == "best") return std::filesystem::exists(best()) ? best() : last();
  if (name == "last") return last();
  return name;
}

void require_no_run(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.config())) return;
  const std::string path = folder.root().string();
  fail("train: ", path, " holds a run already; continue it with --resume ", path, " or choose another --out");
}

void save_run(const RunFolder& folder, const RunConfig& config, const RunVocabulary& vocabulary) {
  make_folders(folder.root());
  vocabulary.tokeniser.save(folder.tokeniser());
  if (vocabulary.labels) vocabulary.labels->save(folder.labels());
  if (vocabulary.target_tokeniser) vocabulary.target_tokeniser->save(folder.target_tokeniser());
  // Last, because it is what makes the folder a run.
  write_file(folder.config(), to_json(config).dump(2) + "\n");
}

RunConfig load_run_config(const RunFolder& folder) {
  if (!std::filesystem::exists(folder.config())) {
    fail("run: ", folder.root().string(), " is not the folder of a run: it has no config.json");
  }
  RunConfig config;
  merge_file(config, folder.config().string());
  return config;
}

RunVocabulary load_run_vocabulary(const RunFolder& folder, const RunConfig& config) {
  RunVocabulary vocabulary{Tokeniser::load(folder.tokeniser())};
  if (classifies(config)) vocabulary.labels = Labels::load(folder.labels());
  if (config.task == "seq2seq") vocabulary.target_tokeniser = Tokeniser::load(folder.target_tokeniser());
  return vocabulary;
}

}  // namespace lintel::train
