// Leaving a run and coming back to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <lintel/nn/optimiser.hpp>
#include <lintel/nn/parameters.hpp>
#include <lintel/train/run_folder.hpp>
#include <lintel/train/task.hpp>

namespace lintel::train {

/// Where a run stands, weights and optimiser aside. The order of the data and dropout are functions of seed and step.
struct RunState {
  std::int64_t step = 0;           ///< steps done
  std::optional<Evaluation> best;  ///< the best validation so far
  std::int64_t best_step = 0;      ///< after which it was made
  std::string fingerprint;         ///< of the training data
};

/// Writes `parameters` alone, for everyone who uses the model; step and validation stand in the metadata.
void save_weights(const std::filesystem::path& path, const std::vector<NamedTensor>& parameters, std::int64_t step,
                  const std::optional<Evaluation>& validation);

/// Sets `parameters` from a file that `save_weights` or another program wrote. Throws `Error` if it is not of this
/// model.
void load_weights(const std::filesystem::path& path, const std::vector<NamedTensor>& parameters);

/// Writes all that a run needs to go on as one file of `folder`.
void save_checkpoint(const RunFolder& folder, const std::vector<NamedTensor>& parameters, const nn::AdamW& optimiser,
                     const RunState& state);

/// Sets `parameters` and `optimiser` from the checkpoint of `folder`. Throws `Error` if it is damaged or of another
/// model; then nothing has changed.
RunState load_checkpoint(const RunFolder& folder, const std::vector<NamedTensor>& parameters, nn::AdamW& optimiser);

}  // namespace lintel::train
