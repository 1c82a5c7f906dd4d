// What a layer of causal attention remembers of the tokens it has read, so that it can go on without reading them
// again.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel::nn {

/// Of kernel attention, S = Σ φ(k_j) v_jᵀ and z = Σ φ(k_j): m·(head_dim + 1) numbers for each stream and head, whatever
/// the number of tokens.
struct KernelMemory {
  Tensor matrix;  ///< S: (streams, heads, m, head_dim)
  Tensor vector;  ///< z: (streams, heads, m)

  static void visit(auto& self, auto&& f) {
    f("matrix", self.matrix);
    f("vector", self.vector);
  }
};

/// Of softmax attention, all keys and values; the room for them doubles when it is used up.
struct SoftmaxMemory {
  Tensor keys;    ///< (streams, kv_heads, capacity, head_dim)
  Tensor values;  ///< (streams, kv_heads, capacity, head_dim)

  static void visit(auto& self, auto&& f) {
    f("keys", self.keys);
    f("values", self.values);
  }
};

/// Of short convolutions, the last rows of the projected queries, keys and values.
struct ConvolutionTails {
  Tensor q, k, v;  ///< (streams, width − 1, channels)

  static void visit(auto& self, auto&& f) {
    f("q", self.q);
    f("k", self.k);
    f("v", self.v);
  }
};

/// The memory of one layer, for a batch of streams that may have read different numbers of tokens. A value: a copy
/// takes no time, and reading on with the one does not change the other (a buffer that two states share is copied
/// before it is written). A module whose tensors can be listed, saved and compared; none of them is trained.
struct AttentionState {
  Tensor lengths;  ///< tokens read, int64 (streams)
  std::variant<KernelMemory, SoftmaxMemory> memory;
  std::optional<ConvolutionTails> convolution = std::nullopt;  ///< of an attention with convolutions

  std::int64_t streams() const { return lengths.size(0); }
  /// Bytes of the memory that hold something of the tokens read: constant for kernel attention, proportional to
  /// `lengths` for softmax attention.
  std::int64_t bytes() const;
  /// The states of these streams, in this order; one may be named several times, to continue it in several ways.
  /// Throws `Error` for a stream that there is not.
  AttentionState select(const std::vector<std::int64_t>& streams) const;
  /// The same without room for further tokens, as it is saved.
  AttentionState trimmed() const;

  static void visit(auto& self, auto&& f) {
    f("lengths", self.lengths);
    std::visit([&](auto& memory) { std::remove_cvref_t<decltype(memory)>::visit(memory, f); }, self.memory);
    f("convolution", self.convolution);
  }
};

}  // namespace lintel::nn
