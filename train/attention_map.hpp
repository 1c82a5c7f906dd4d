// A picture of attention: who looks at whom in one layer, as a page.
#pragma once

#include <string>
#include <vector>

#include <lintel/nn/attention_weights.hpp>
#include <lintel/train/trained_run.hpp>

namespace lintel::train {

/// The attention of one layer over one text.
struct AttentionMap {
  std::string title;
  std::string summary;              ///< a sentence or two below it
  std::vector<std::string> tokens;  ///< what stands beside each row and column
  bool spaced = true;               ///< whether tokens are words, with spaces between them
  bool causal = false;              ///< whether a token sees no later ones
  nn::AttentionWeights weights;
};

/// Longest text of a map, in tokens: a page holds two numbers for each pair of tokens and each head.
inline constexpr std::int64_t longest_attention_map = 512;

/// What layer `layer`, counted from 0, of a run's model attends to when it reads `text` alone; `weights` as in
/// `load_classifier`. Throws `Error` for a layer that the model does not have, a text without a token, one longer than
/// `longest_attention_map` or than the model's positions, and as `load_classifier`.
AttentionMap attention_map_of(const TrainedRun& run, const std::string& weights, const std::string& text,
                              std::int64_t layer);

/// The map as one HTML page that needs nothing from the network; all text is escaped. Its element `data` holds JSON:
/// the tokens and, for each head, "kernel" (where there is one) and "softmax", N×N float32 numbers in base64.
std::string attention_map_html(const AttentionMap& map);

}  // namespace lintel::train
