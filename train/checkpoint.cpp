#include <lintel/train/checkpoint.hpp>

#include <nlohmann/json.hpp>

#include <lintel/core/error.hpp>
#include <lintel/nn/safetensors.hpp>

namespace lintel::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* state_key = "lintel_run_state";

std::string state_text(const RunState& state) {
  Json json = {{"step", state.step}, {"best_step", state.best_step}, {"fingerprint", state.fingerprint}};
  if (state.best) json["best"] = to_json(*state.best);
  return json.dump();
}

RunState parse_state(const Metadata& metadata, const std::string& path) {
  const auto found = metadata.find(state_key);
  if (found == metadata.end()) fail("resume: ", path, " is not a checkpoint of a run");
  try {
    const Json json = Json::parse(found->second);
    RunState state;
    state.step = json.at("step").get<std::int64_t>();
    state.best_step = json.at("best_step").get<std::int64_t>();
    state.fingerprint = json.at("fingerprint").get<std::string>();
    if (json.contains("best")) state.best = evaluation_of_json(json["best"]);
    if (state.step < 0) fail("resume: ", path, " is damaged: it was written after step ", state.step);
    return state;
  } catch (const nlohmann::json::exception& error) {
    fail("resume: ", path, " is damaged: ", error.what());
  }
}

std::vector<NamedTensor> tensors_of_checkpoint(const std::vector<NamedTensor>& parameters, const nn::AdamW& optimiser) {
  std::vector<NamedTensor> tensors;
  for (const auto& [name, tensor] : parameters) tensors.push_back({"model." + name, tensor});
  for (const auto& [name, tensor] : nn::named_parameters(optimiser)) tensors.push_back({"optimiser." + name, tensor});
  return tensors;
}

}  // namespace

void save_weights(const std::filesystem::path& path, const std::vector<NamedTensor>& parameters, std::int64_t step,
                  const std::optional<Evaluation>& validation) {
  Metadata metadata = {{"format", "pt"}, {"step", std::to_string(step)}};
  if (validation) metadata["validation"] = to_json(*validation).dump();
  write_safetensors(path, parameters, metadata);
}

void load_weights(const std::filesystem::path& path, const std::vector<NamedTensor>& parameters) {
  copy_by_name(read_safetensors(path).tensors, parameters, "load: " + path.string());
}

void save_checkpoint(const RunFolder& folder, const std::vector<NamedTensor>& parameters, const nn::AdamW& optimiser,
                     const RunState& state) {
  write_safetensors(folder.state(), tensors_of_checkpoint(parameters, optimiser), {{state_key, state_text(state)}});
}

RunState load_checkpoint(const RunFolder& folder, const std::vector<NamedTensor>& parameters, nn::AdamW& optimiser) {
  const std::string path = folder.state().string();
  const Safetensors file = read_safetensors(path);
  RunState state = parse_state(file.metadata, path);
  copy_by_name(file.tensors, tensors_of_checkpoint(parameters, optimiser), "resume: " + path);
  return state;
}

}  // namespace lintel::train
