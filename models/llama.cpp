#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include <lintel/models/llama.hpp>

namespace lintel::models {
namespace llama_detail {

struct Renaming {
  std::string_view theirs, ours;
};

constexpr Renaming outside_of_blocks[] = {{"tok_embeddings.weight", "embedding.tokens.weight"},
                                          {"norm.weight", "norm.weight"},
                                          {"output.weight", "head.weight"}};
constexpr Renaming inside_of_blocks[] = {{"attention_norm.weight", "norm1.weight"},
                                         {"attention.wq.weight", "attention.q.weight"},
                                         {"attention.wk.weight", "attention.k.weight"},
                                         {"attention.wv.weight", "attention.v.weight"},
                                         {"attention.wo.weight", "attention.o.weight"},
                                         {"ffn_norm.weight", "norm2.weight"},
                                         {"feed_forward.w1.weight", "feed_forward.gate.weight"},
                                         {"feed_forward.w3.weight", "feed_forward.up.weight"},
                                         {"feed_forward.w2.weight", "feed_forward.down.weight"}};

/// A name that the layout does not know stays as it is, and is then told to be unexpected.
std::string our_name(const std::string& name) {
  for (const auto& [theirs, ours] : outside_of_blocks) {
    if (name == theirs) return std::string(ours);
  }
  constexpr std::string_view prefix = "layers.";
  const std::size_t dot = name.find('.', prefix.size());
  if (!name.starts_with(prefix) || dot == std::string::npos) return name;
  for (const auto& [theirs, ours] : inside_of_blocks) {
    if (name.substr(dot + 1) != theirs) continue;
    return "blocks." + name.substr(prefix.size(), dot - prefix.size()) + "." + std::string(ours);
  }
  return name;
}

std::vector<NamedTensor> renamed(const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> result;
  for (const auto& [name, tensor] : tensors) {
    result.push_back({our_name(name), is_floating(tensor.dtype()) ? convert(tensor, DType::float32) : tensor});
  }
  return result;
}

/// What is known of one file.
struct File {
  std::string path;
  std::vector<NamedTensor> tensors;  // by our names
  Metadata metadata;

  const Tensor* find(const std::string& name) const {
    for (const NamedTensor& each : tensors) {
      if (each.name == name) return &each.tensor;
    }
    return nullptr;
  }
  /// The shape of a matrix, which sizes are read from.
  Shape matrix(const std::string& name) const {
    const Tensor* tensor = find(name);
    if (!tensor) fail("load_llama: ", path, " is not in the layout of Llama: it has no tensor for ", name);
    if (tensor->rank() != 2) fail("load_llama: ", path, ": ", name, " is ", tensor->shape(), ", a matrix wanted");
    return tensor->shape();
  }
  /// A size in the metadata, 0 where there is none.
  std::int64_t size(const std::string& key) const {
    constexpr double most = 1 << 30;
    const double value = number(key, 0);
    if (value == std::floor(value) && value <= most) return static_cast<std::int64_t>(value);
    fail("load_llama: ", path, ": ", key, " is ", value, ", a whole number up to ", most, " wanted");
  }
  double number(const std::string& key, double otherwise) const {
    const auto found = metadata.find(key);
    if (found == metadata.end()) return otherwise;
    double value = 0;
    const char* const end = found->second.data() + found->second.size();
    const auto [stop, error] = std::from_chars(found->second.data(), end, value);
    if (error != std::errc() || stop != end || !(value > 0) || !std::isfinite(value)) {
      fail("load_llama: ", path, ": ", key, " is \"", found->second, "\", a positive number wanted");
    }
    return value;
  }
};

std::int64_t count_blocks(const File& file) {
  std::int64_t count = 0;
  while (file.find("blocks." + std::to_string(count) + ".attention.q.weight")) ++count;
  return count;
}

LanguageModelConfig config_of(const File& file) {
  const Shape table = file.matrix("embedding.tokens.weight");
  const Shape keys = file.matrix("blocks.0.attention.k.weight");
  const std::int64_t heads = file.size("n_heads");
  if (heads < 1 || heads > table[1]) {
    fail("load_llama: ", file.path, ": the metadata give no n_heads that divides ", table[1]);
  }
  LanguageModelConfig config;
  config.vocab = table[0];
  config.max_length = file.size("max_seq_len");
  config.hidden = table[1];
  config.mlp = file.matrix("blocks.0.feed_forward.gate.weight")[0];
  config.heads = heads;
  config.blocks = count_blocks(file);
  config.attention = nn::SoftmaxAttentionConfig{};
  config.tied_output = !file.find("head.weight");
  config.options = {.positions = "rotary",
                    .rotary_base = file.number("rope_theta", 10000),
                    .norm = "rms",
                    .norm_epsilon = file.number("rms_norm_eps", 1e-5),
                    .feed_forward = "swiglu",
                    .kv_heads = keys[0] / (table[1] / heads),
                    .bias_free = true};
  return config;
}

}  // namespace llama_detail

LanguageModel load_llama(const std::filesystem::path& path) {
  const Safetensors read = read_safetensors(path);
  const llama_detail::File file{path.string(), llama_detail::renamed(read.tensors), read.metadata};
  Rng rng(1);
  LanguageModel model(llama_detail::config_of(file), rng);
  copy_by_name(file.tensors, nn::named_parameters(model), "load_llama: " + path.string());
  return model;
}

}  // namespace lintel::models
