#include <lintel/train/run_config.hpp>

#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>
#include <lintel/train/near_names.hpp>
#include <lintel/train/settings.hpp>
#include <lintel/train/text_pairs.hpp>

namespace lintel::train {
namespace {

using Json = nlohmann::ordered_json;

std::string with_underscores(std::string name) {
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

// nlohmann-json converts silently between numbers and booleans, and wraps integers that do not fit.
bool holds(const Json& value, const std::string&) { return value.is_string(); }
bool holds(const Json& value, bool) { return value.is_boolean(); }
bool holds(const Json& value, double) { return value.is_number(); }
bool holds(const Json& value, std::uint64_t) { return value.is_number_unsigned(); }
bool holds(const Json& value, std::int64_t) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>() <= std::uint64_t(INT64_MAX);
  return value.is_number_integer();
}

const char* wanted_type(const std::string&) { return "a string"; }
const char* wanted_type(bool) { return "true or false"; }
const char* wanted_type(double) { return "a number"; }
const char* wanted_type(std::uint64_t) { return "a whole number from 0"; }
const char* wanted_type(std::int64_t) { return "a whole number"; }

template <class T>
void read_setting(const Json& value, T& member, const std::string& source, const std::string& name) {
  if (!holds(value, member)) fail(source, ": ", name, " wants ", wanted_type(member), ", got ", value.dump());
  member = value.get<T>();
}

std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

void check_setting(const Setting& setting, const std::string& value) {
  if (setting.choices.empty()) return;
  for (const std::string& choice : setting.choices) {
    if (value == choice) return;
  }
  fail("settings: ", setting.name, " is ", joined(setting.choices), ", got \"", value, "\"",
       did_you_mean(value, setting.choices));
}

void check_setting(const Setting&, bool) {}

template <class Number>
requires std::is_arithmetic_v<Number>
void check_setting(const Setting& setting, Number value) {
  const auto number = static_cast<double>(value);
  if (number >= setting.minimum && number <= setting.maximum && std::isfinite(number)) return;
  if (std::isinf(setting.maximum)) fail("settings: ", setting.name, " is ", setting.minimum, " or more, got ", value);
  fail("settings: ", setting.name, " lies between ", setting.minimum, " and ", setting.maximum, ", got ", value);
}

void check_training_files(const RunConfig& config) {
  if (config.task == "seq2seq") {
    check_pair_files({config.data, config.source, config.target}, "settings: training data");
    const PairFiles valid{config.valid, config.valid_source, config.valid_target};
    if (valid.given()) check_pair_files(valid, "settings: validation data");
  } else {
    if (!config.source.empty() || !config.target.empty()) fail("settings: source and target are for the task seq2seq");
    if (config.data.empty()) fail("settings: data is missing, the training file");
  }
}

}  // namespace

bool classifies(const RunConfig& config) { return config.task == "classify" || config.task == "match"; }

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  const RunConfig config;
  for_each_setting(config, [&](const Setting& setting, const auto&) { names.emplace_back(setting.name); });
  return names;
}

Json to_json(const RunConfig& config) {
  Json json;
  for_each_setting(config, [&](const Setting& setting, const auto& member) { json[setting.name] = member; });
  return json;
}

void merge(RunConfig& config, const Json& json, const std::string& source) {
  if (!json.is_object()) fail(source, ": settings are a JSON object, got ", json.type_name());
  for (const auto& [key, value] : json.items()) {
    const std::string name = with_underscores(key);
    bool found = false;
    for_each_setting(config, [&](const Setting& setting, auto& member) {
      if (name != setting.name) return;
      found = true;
      read_setting(value, member, source, name);
    });
    if (!found) fail(source, ": there is no setting \"", key, "\"", did_you_mean(key, setting_names()));
  }
}

void merge_file(RunConfig& config, const std::string& path) {
  const std::string text = read_file(path);
  Json json;
  try {
    json = Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail(path, ": is not JSON: ", error.what());
  }
  merge(config, json, path);
}

void check(const RunConfig& config) {
  for_each_setting(config, [](const Setting& setting, const auto& member) { check_setting(setting, member); });
  check_training_files(config);
  if (config.out.empty()) fail("settings: out is missing, the folder of the run");
  if (config.steps == 0 && config.epochs == 0) fail("settings: steps and epochs are both 0");
  if (config.hidden % config.heads != 0) {
    fail("settings: hidden is a multiple of heads, got ", config.hidden, " and ", config.heads);
  }
  if (config.attention == "kernel" && !nn::feature_map_stacks(config.feature_map) && config.kernel_layers > 1) {
    fail("settings: kernel_layers is 1 for the feature map ", config.feature_map, ", got ", config.kernel_layers);
  }
  if (config.attention == "kernel" && config.feature_map == "identity" && config.normaliser == "sum") {
    fail("settings: the feature map identity wants the normaliser sqrt_n or rmsnorm, got sum");
  }
  if (config.kv_heads > 0 && config.heads % config.kv_heads != 0) {
    fail("settings: kv_heads is a divisor of heads, got ", config.kv_heads, " and ", config.heads);
  }
  if (config.positions == "rotary" && config.hidden / config.heads % 2 != 0) {
    fail("settings: rotary positions want an even hidden / heads, got ", config.hidden / config.heads);
  }
  if (config.task == "match" && config.second_text_column.empty()) {
    fail("settings: second_text_column is missing, the text that the task match compares with text_column");
  }
  if (config.task == "match" && config.format == "lines") {
    fail("settings: the task match reads a table, and the format lines has one column");
  }
  if (config.task != "match" && config.interaction != "none") fail("settings: interaction is for the task match");
  if (config.causal && !classifies(config)) fail("settings: causal is for the tasks classify and match");
  if (config.positions_from_end && !(classifies(config) && config.positions == "learned")) {
    fail("settings: positions_from_end is for the tasks classify and match, with learned positions");
  }
  if (config.causal && config.pooling == "cls") {
    fail("settings: causal wants the pooling mean or last, since a first token sees nothing but itself");
  }
  if (classifies(config) && config.tied_output) fail("settings: tied_output is for the tasks lm and seq2seq");
  if (config.batch_tokens == 0 && config.accumulate > config.batch) {
    fail("settings: a batch of ", config.batch, " cannot be cut into ", config.accumulate, " pieces");
  }
  if (config.task == "lm" && config.tokeniser != "byte") {
    fail("settings: the language model reads bytes, got the tokeniser ", config.tokeniser);
  }
  if (config.task == "lm" && config.label_smoothing > 0) {
    fail("settings: label_smoothing is for the tasks classify, match and seq2seq");
  }
}

void check_resumable(const RunConfig& original, const RunConfig& wanted) {
  const Json before = to_json(original);
  const Json after = to_json(wanted);
  for_each_setting(wanted, [&](const Setting& setting, const auto&) {
    if (setting.may_change || before[setting.name] == after[setting.name]) return;
    fail("resume: ", setting.name, " is ", before[setting.name].dump(), " in the run and cannot become ",
         after[setting.name].dump());
  });
}

}  // namespace lintel::train
