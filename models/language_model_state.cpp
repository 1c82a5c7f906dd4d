#include <lintel/models/language_model_state.hpp>

namespace lintel::models {

std::vector<std::int64_t> LanguageModelState::lengths() const {
  if (layers.empty()) return {};
  const auto values = layers.front().lengths.values<std::int64_t>();
  return {values.begin(), values.end()};
}

std::int64_t LanguageModelState::bytes() const {
  std::int64_t total = 0;
  for (const nn::AttentionState& layer : layers) total += layer.bytes();
  return total;
}

LanguageModelState LanguageModelState::select(const std::vector<std::int64_t>& wanted) const {
  LanguageModelState result;
  for (const nn::AttentionState& layer : layers) result.layers.push_back(layer.select(wanted));
  return result;
}

void save_state(const LanguageModelState& state, const std::filesystem::path& path, const Metadata& metadata) {
  LanguageModelState trimmed;
  for (const nn::AttentionState& layer : state.layers) trimmed.layers.push_back(layer.trimmed());
  save(trimmed, path, metadata);
}

}  // namespace lintel::models
