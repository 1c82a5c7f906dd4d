#include <lintel/train/generation.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include <lintel/core/error.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* reading_key = "lintel_reading";
constexpr const char* random_key = "lintel_random";

Json parse_metadata(const Metadata& metadata, const char* key, const std::string& path) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) fail("generate: ", path, " is not the state of a generation");
  try {
    return Json::parse(found->second);
  } catch (const nlohmann::json::exception& error) {
    fail("generate: ", path, " is damaged: ", error.what());
  }
}

std::vector<float> row_of(const Tensor& logits) {
  const auto values = logits.values<float>();
  return {values.begin(), values.end()};
}

}  // namespace

ReadingState::ReadingState(const models::LanguageModel& model, std::int64_t max_length)
    : model_(model), state_(model.empty_state()), window_(0) {
  if (model.config.options.positions == "learned") window_ = max_length > 1 ? max_length - 1 : 1;
}

void ReadingState::read(std::int64_t token) {
  pending_.push_back(token);
  if (window_ == 0) return;
  tokens_.push_back(token);
  if (static_cast<std::int64_t>(tokens_.size()) > window_) tokens_.erase(tokens_.begin());
}

bool ReadingState::window_is_full() const {
  const auto tokens = state_.lengths().front() + static_cast<std::int64_t>(pending_.size());
  return window_ > 0 && tokens > window_;
}

const std::vector<float>& ReadingState::next_logits() {
  if (pending_.empty()) {
    if (logits_.empty()) fail("generate: the prompt is empty, wanted at least one token");
    return logits_;
  }
  if (window_is_full()) {
    state_ = model_.empty_state();
    pending_ = tokens_;
  }
  const bool one = pending_.size() == 1;
  logits_ = row_of(one ? model_.step(Tensor({1}, pending_), state_) : model_.prefill(pack({pending_}), state_));
  pending_.clear();
  return logits_;
}

void ReadingState::save(const std::filesystem::path& path, Metadata metadata) const {
  metadata[reading_key] = Json{{"tokens", tokens_}, {"pending", pending_}, {"logits", logits_}}.dump();
  models::save_state(state_, path, metadata);
}

void ReadingState::load(const std::filesystem::path& path) {
  const Json json = parse_metadata(read_safetensors(path).metadata, reading_key, path.string());
  models::LanguageModelState state = model_.load_state(path);
  if (state.streams() != 1) fail("generate: ", path.string(), " holds ", state.streams(), " streams, one wanted");
  try {
    tokens_ = json.at("tokens").get<std::vector<std::int64_t>>();
    pending_ = json.at("pending").get<std::vector<std::int64_t>>();
    logits_ = json.at("logits").get<std::vector<float>>();
  } catch (const nlohmann::json::exception& error) {
    fail("generate: ", path.string(), " is damaged: ", error.what());
  }
  state_ = std::move(state);
}

Generation generate(Generation from, std::span<const std::int64_t> prompt, std::int64_t count,
                    const SamplingOptions& options, const std::function<bool(std::int64_t)>& take) {
  for (const std::int64_t token : prompt) from.state.read(token);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t token = sample_token(from.state.next_logits(), options, from.random);
    from.state.read(token);
    if (!take(token)) break;
  }
  return from;
}

Generation generate(ReadingState state, std::span<const std::int64_t> prompt, std::int64_t count,
                    const SamplingOptions& options, Rng random, const std::function<bool(std::int64_t)>& take) {
  return generate({std::move(state), random}, prompt, count, options, take);
}

void save_generation(const Generation& generation, const std::filesystem::path& path) {
  const Json random = {{"seed", generation.random.key()}, {"position", generation.random.position()}};
  generation.state.save(path, {{random_key, random.dump()}});
}

Generation load_generation(ReadingState state, const std::filesystem::path& path) {
  const Json json = parse_metadata(read_safetensors(path).metadata, random_key, path.string());
  state.load(path);
  try {
    const Rng random(json.at("seed").get<std::uint64_t>(), json.at("position").get<std::uint64_t>());
    return {std::move(state), random};
  } catch (const nlohmann::json::exception& error) {
    fail("generate: ", path.string(), " is damaged: ", error.what());
  }
}

}  // namespace lintel::train
