// How the Transformer inside a model is built, its sizes aside.
#pragma once

#include <string>

#include <lintel/nn/block.hpp>

namespace lintel::models {

/// The defaults are those of the original Transformer with its norms in front; "rotary", "rms", "swiglu" and
/// `bias_free` together are those of Llama (Touvron et al., arXiv 2302.13971).
struct TransformerOptions {
  std::string positions = "learned";  ///< "learned": a table of max_length rows; "rotary"; "none"
  double rotary_base = 10000;         ///< of "rotary" positions
  std::string norm = "layer";         ///< "layer" or "rms"
  double norm_epsilon = 1e-6;         ///< added under the root
  std::string feed_forward = "gelu";  ///< "gelu" or "swiglu"
  bool qk_norm = false;               ///< an RMS norm of every query and key
  std::int64_t convolution = 0;       ///< width of a convolution of queries, keys and values; 0: none
  std::int64_t kv_heads = 0;          ///< heads of keys and values, a divisor of the heads; 0: as many
  bool bias_free = false;             ///< no biases in the linear layers
  bool checkpoint = false;            ///< see `nn::TransformerBlock`
};

/// Throws an `Error` that begins with `model` for a name that is not among the choices, or a number out of range.
void check_options(const char* model, const TransformerOptions& options);

/// The norm at the end of the blocks, and inside them.
inline nn::NormOptions norm_options(const TransformerOptions& options) {
  return {.kind = options.norm, .epsilon = options.norm_epsilon};
}

/// The blocks of a model with this config.
template <class ModelConfig>
nn::TransformerBlockConfig block_config(const ModelConfig& config) {
  const TransformerOptions& options = config.options;
  return {.hidden = config.hidden,
          .mlp = config.mlp,
          .heads = config.heads,
          .attention = config.attention,
          .dropout = config.dropout,
          .head = {.kv_heads = options.kv_heads,
                   .bias = !options.bias_free,
                   .rotary_base = options.positions == "rotary" ? options.rotary_base : 0,
                   .qk_norm = options.qk_norm,
                   .convolution = options.convolution},
          .norm = norm_options(options),
          .feed_forward = options.feed_forward,
          .bias = !options.bias_free,
          .checkpoint = options.checkpoint};
}

}  // namespace lintel::models
