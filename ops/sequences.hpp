// Which rows of a tensor form which sequence: several sequences of different lengths lie in one tensor, one after the
// other (packed) or each in a row of its own with padding behind it (padded).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <lintel/core/tensor.hpp>

namespace lintel {

/// Where each sequence begins and ends, counted in rows of a tensor whose leading axes, (T) or (B, N), are flattened.
/// A small value: copies share the list.
class Sequences {
 public:
  /// Sequences that follow each other: sequence i has the rows offsets[i] ≤ row < offsets[i + 1]. `offsets` is int64
  /// (B + 1), starts at 0, never falls and ends at the number of rows. Throws `Error` otherwise.
  static Sequences packed(const Tensor& offsets);
  /// Sequence i has the first `lengths[i]` of the rows i·length … (i + 1)·length − 1; without `lengths` all of them.
  /// Throws `Error` for a wrong number of lengths, or one outside [0, length].
  static Sequences padded(std::int64_t batch, std::int64_t length, const std::vector<std::int64_t>& lengths = {});

  /// The number of sequences.
  std::int64_t count() const { return static_cast<std::int64_t>(spans_->size()); }
  std::int64_t begin(std::int64_t i) const { return (*spans_)[static_cast<std::size_t>(i)].begin; }
  std::int64_t end(std::int64_t i) const { return (*spans_)[static_cast<std::size_t>(i)].end; }
  std::int64_t length(std::int64_t i) const { return end(i) - begin(i); }
  /// All rows of the flattened tensor, padding included.
  std::int64_t rows() const { return rows_; }
  /// The length of the longest sequence, 0 without any.
  std::int64_t longest() const;

 private:
  struct Span {
    std::int64_t begin, end;
  };
  Sequences(std::vector<Span> spans, std::int64_t rows);

  std::shared_ptr<const std::vector<Span>> spans_;
  std::int64_t rows_ = 0;
};

/// Sequences of tokens without padding: ids int64 (T), offsets int64 (B + 1) as `Sequences::packed` wants them.
struct Packed {
  Tensor ids;
  Tensor offsets;
};

/// Lays the sequences one after the other.
Packed pack(const std::vector<std::vector<std::int64_t>>& sequences);

/// The sum of the rows of each sequence, 0 for an empty one: x (T, h) or (B, N, h) -> (sequences, h). Padding does not
/// count. Throws `Error` when x does not have `sequences.rows()` rows.
Tensor segment_sum(const Tensor& x, const Sequences& sequences);

/// `segment_sum` divided by each sequence's length; 0 for an empty one.
Tensor segment_mean(const Tensor& x, const Sequences& sequences);

/// The adjoint of `segment_sum`: y (sequences, h) -> (rows, h), each row that of its sequence, 0 where a row belongs to
/// none. Throws `Error` when y has another number of rows than there are sequences, or when `rows` are too few.
Tensor segment_expand(const Tensor& y, const Sequences& sequences, std::int64_t rows);

}  // namespace lintel
