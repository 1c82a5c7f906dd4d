// What a language model remembers of the tokens it has read.
#pragma once

#include <filesystem>
#include <vector>

#include <lintel/nn/attention_state.hpp>
#include <lintel/nn/safetensors.hpp>

namespace lintel::models {

/// The memories of all layers, for a batch of streams that go on independently of each other and may have read
/// different numbers of tokens. A value: a copy takes no time and branches off a continuation; see `AttentionState`.
struct LanguageModelState {
  std::vector<nn::AttentionState> layers;

  std::int64_t streams() const { return layers.empty() ? 0 : layers.front().streams(); }
  /// The tokens that each stream has read.
  std::vector<std::int64_t> lengths() const;
  /// Bytes that hold something of the tokens read; see `AttentionState`.
  std::int64_t bytes() const;
  /// The states of these streams, in this order; one may be named several times. Throws `Error` for a stream that there
  /// is not.
  LanguageModelState select(const std::vector<std::int64_t>& streams) const;

  static void visit(auto& self, auto&& f) { f("layers", self.layers); }
};

/// Writes a safetensors file that `LanguageModel::load_state` reads, in this process or another. Throws `Error` when
/// the system cannot write.
void save_state(const LanguageModelState& state, const std::filesystem::path& path, const Metadata& metadata = {});

}  // namespace lintel::models
