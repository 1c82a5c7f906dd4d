// How ops cut sequences into parallel tasks: by their lengths only, so that the bits of a result do not depend on the
// number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <lintel/ops/sequences.hpp>

namespace lintel {

/// The sequences, each cut into pieces of at most so many rows, sequence after sequence; an empty sequence has none.
class SequencePieces {
 public:
  struct Piece {
    std::int64_t sequence, begin, end;  // rows of the tensor
    std::int64_t size() const { return end - begin; }
  };
  /// Rows [begin, end) of the tensor that are worked on at once, all of the pieces [first, last): whole pieces that
  /// follow each other without a gap, or a part of a single one.
  struct RowBlock {
    std::int64_t begin, end, first, last;
    std::int64_t size() const { return end - begin; }
  };
  /// Rows of a block, counted from its first.
  struct Part {
    std::int64_t begin, size;
  };

  SequencePieces(const Sequences& sequences, std::int64_t longest) {
    for (std::int64_t i = 0; i < sequences.count(); ++i) {
      first_.push_back(count());
      for (std::int64_t row = sequences.begin(i); row < sequences.end(i); row += longest) {
        pieces_.push_back({i, row, std::min(sequences.end(i), row + longest)});
        rows_ += pieces_.back().size();
      }
    }
    first_.push_back(count());
  }

  std::int64_t count() const { return static_cast<std::int64_t>(pieces_.size()); }
  /// Of all pieces.
  std::int64_t rows() const { return rows_; }
  const Piece& operator[](std::int64_t i) const { return pieces_[static_cast<std::size_t>(i)]; }
  /// The first piece of a sequence; that of the sequence behind the last is `count()`.
  std::int64_t first(std::int64_t sequence) const { return first_[static_cast<std::size_t>(sequence)]; }
  bool begins_sequence(std::int64_t i) const { return i == 0 || (*this)[i - 1].sequence != (*this)[i].sequence; }
  bool ends_sequence(std::int64_t i) const { return i + 1 == count() || begins_sequence(i + 1); }

  /// The pieces [first, last) in blocks of at most `most_rows` rows, short pieces together.
  std::vector<RowBlock> blocks(std::int64_t first, std::int64_t last, std::int64_t most_rows) const {
    std::vector<RowBlock> result;
    while (first < last) {
      const std::int64_t begin = (*this)[first].begin;
      std::int64_t next = first + 1;
      while (next < last && (*this)[next].begin == (*this)[next - 1].end && (*this)[next].end - begin <= most_rows) {
        ++next;
      }
      const std::int64_t end = (*this)[next - 1].end;
      for (std::int64_t row = begin; row < end; row += most_rows) {
        result.push_back({row, std::min(end, row + most_rows), first, next});
      }
      first = next;
    }
    return result;
  }
  /// What of a block belongs to one of its pieces.
  Part part(const RowBlock& block, std::int64_t piece) const {
    const std::int64_t begin = std::max(block.begin, (*this)[piece].begin);
    return {begin - block.begin, std::min(block.end, (*this)[piece].end) - begin};
  }

 private:
  std::vector<Piece> pieces_;
  std::vector<std::int64_t> first_;
  std::int64_t rows_ = 0;
};

/// Consecutive pieces in groups, each the work of one task. Border g is the one before group g; a sequence crosses it
/// that has pieces on both sides.
class PieceGroups {
 public:
  /// The pieces [first, last).
  struct Range {
    std::int64_t first, last;
  };

  /// `first` holds the first piece of each group, then the number of all pieces. Refers to `pieces`.
  PieceGroups(const SequencePieces& pieces, std::vector<std::int64_t> first)
      : pieces_(pieces), first_(std::move(first)) {}

  std::int64_t count() const { return static_cast<std::int64_t>(first_.size()) - 1; }
  /// The first piece of a group.
  std::int64_t first(std::int64_t group) const { return first_[static_cast<std::size_t>(group)]; }

  bool is_crossed(std::int64_t border) const {
    return first(border) < pieces_.count() && !pieces_.begins_sequence(first(border));
  }
  /// Whether a group is the middle of one sequence, which crosses both its borders.
  bool is_inside_sequence(std::int64_t group) const {
    return is_crossed(group) && is_crossed(group + 1) && sequence_at(group) == sequence_at(group + 1);
  }
  /// What the sequence that crosses a border has in the group before it; nothing where none does.
  Range before(std::int64_t border) const {
    if (!is_crossed(border)) return {0, 0};
    return {std::max(first(border - 1), pieces_.first(sequence_at(border))), first(border)};
  }
  /// The same in the group behind it.
  Range behind(std::int64_t border) const {
    if (!is_crossed(border)) return {0, 0};
    return {first(border), std::min(first(border + 1), pieces_.first(sequence_at(border) + 1))};
  }

 private:
  std::int64_t sequence_at(std::int64_t border) const { return pieces_[first(border)].sequence; }

  const SequencePieces& pieces_;
  std::vector<std::int64_t> first_;
};

}  // namespace lintel
