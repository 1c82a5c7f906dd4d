// Everything that decides what a training run does, as one struct.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lintel::train {

/// The settings of a run. The names are those of the JSON file and, with `-` for `_`, of the command's options;
/// settings.hpp documents each.
struct RunConfig {
  std::string task = "classify";
  std::string data;
  std::string valid;
  std::string source;
  std::string target;
  std::string valid_source;
  std::string valid_target;
  double valid_fraction = 0.05;
  std::string format = "auto";
  bool header = false;
  std::string text_column = "1";
  std::string second_text_column;
  std::string label_column = "2";
  std::string source_column = "1";
  std::string target_column = "2";
  std::string tokeniser = "byte";
  std::string target_tokeniser = "same";
  std::int64_t vocabulary = 30000;
  std::int64_t min_count = 1;

  std::string attention = "kernel";
  std::string feature_map = "glu";
  std::string normaliser = "sum";
  std::int64_t kernel_layers = 1;
  bool kernel_bias = false;
  double kernel_dropout = 0;
  double penalty = 0;
  std::int64_t hidden = 128;
  std::int64_t mlp = 0;
  std::int64_t heads = 4;
  std::int64_t blocks = 2;
  std::int64_t decoder_blocks = 0;
  std::int64_t max_length = 512;
  std::int64_t kv_heads = 0;
  bool qk_norm = false;
  std::int64_t convolution = 0;
  std::string positions = "learned";
  double rotary_base = 10000;
  std::string norm = "layer";
  double norm_epsilon = 1e-6;
  std::string feed_forward = "gelu";
  bool bias_free = false;
  bool tied_output = false;
  std::string pooling = "cls";
  bool positions_from_end = false;
  bool causal = false;
  std::string interaction = "none";
  double dropout = 0;

  std::string start_from;
  std::int64_t batch = 32;
  std::int64_t batch_tokens = 0;
  std::int64_t length_window = 50;
  std::int64_t accumulate = 1;
  std::int64_t steps = 0;
  double epochs = 1;
  double minutes = 0;
  double learning_rate = 1e-3;
  std::string schedule = "warmup_cosine";
  std::int64_t warmup = 0;
  double weight_decay = 0.01;
  double label_smoothing = 0;
  double clip = 1;
  std::string dtype = "float32";
  std::uint64_t seed = 1;

  bool checkpoint = false;
  std::int64_t threads = 0;
  std::int64_t eval_every = 0;
  std::int64_t log_every = 1;
  std::string out;
};

/// Whether the run sorts the rows of a table into classes: the tasks "classify" and "match".
bool classifies(const RunConfig& config);

/// The names of all settings.
std::vector<std::string> setting_names();

/// `config` as a JSON object, every setting included.
nlohmann::ordered_json to_json(const RunConfig& config);

/// Overwrites the settings that `json` names; `-` and `_` are the same in a name. Throws `Error`, beginning with
/// `source`, for anything but an object, an unknown name (with the ones it resembles), or a value of another type.
void merge(RunConfig& config, const nlohmann::ordered_json& json, const std::string& source);

/// Reads a JSON file and merges it. Throws `Error` if it cannot be read or is not JSON.
void merge_file(RunConfig& config, const std::string& path);

/// Throws `Error`, naming the setting, if one is out of its range or does not fit the others.
void check(const RunConfig& config);

/// Throws `Error` unless `wanted` continues a run with the settings `original`: only the settings that say so may
/// differ.
void check_resumable(const RunConfig& original, const RunConfig& wanted);

}  // namespace lintel::train
