// The files of a run, and reading them back.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <lintel/train/labels.hpp>
#include <lintel/train/run_config.hpp>
#include <lintel/train/tokeniser.hpp>

namespace lintel::train {

/// Where a run keeps what.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path config() const { return root_ / "config.json"; }
  std::filesystem::path tokeniser() const { return root_ / "tokeniser.json"; }
  std::filesystem::path target_tokeniser() const { return root_ / "target_tokeniser.json"; }
  std::filesystem::path labels() const { return root_ / "labels.json"; }
  std::filesystem::path log() const { return root_ / "log.jsonl"; }
  std::filesystem::path report() const { return root_ / "report.html"; }
  /// The weights of the best validation, and those of the last step.
  std::filesystem::path best() const { return root_ / "best.safetensors"; }
  std::filesystem::path last() const { return root_ / "last.safetensors"; }
  /// All that `--resume` needs, in one file, so that no crash leaves halves that do not belong together.
  std::filesystem::path state() const { return root_ / "state.safetensors"; }

  /// The weights that `name` means: "best" (or the last, where nothing was validated), "last", or the path of a file.
  std::filesystem::path weights(const std::string& name) const;

 private:
  std::filesystem::path root_;
};

/// What turns raw rows into a model's input, and its output into words.
struct RunVocabulary {
  Tokeniser tokeniser;
  std::optional<Labels> labels = {};               ///< of a classifier
  std::optional<Tokeniser> target_tokeniser = {};  ///< of an encoder–decoder model, whose sources `tokeniser` is for
};

/// Throws `Error` if `folder` holds a run already.
void require_no_run(const RunFolder& folder);

/// Makes the folder and writes config.json and the files of the vocabulary. Throws `Error` if that fails.
void save_run(const RunFolder& folder, const RunConfig& config, const RunVocabulary& vocabulary);

/// The settings of the run in `folder`. Throws `Error` if there is no run.
RunConfig load_run_config(const RunFolder& folder);

/// The tokenisers and labels of the run in `folder`, whose settings are `config`.
RunVocabulary load_run_vocabulary(const RunFolder& folder, const RunConfig& config);

}  // namespace lintel::train
