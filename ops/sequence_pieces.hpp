// How ops cut sequences into parallel tasks: by their lengths only, so that the bits of a result do not depend on the
// number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
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

  /// Into how many groups of consecutive pieces they fall, and where one begins.
  std::int64_t groups(std::int64_t most) const { return std::min(count(), most); }
  std::int64_t first_of_group(std::int64_t group, std::int64_t most) const {
    const std::int64_t groups_here = groups(most);
    return groups_here == 0 ? 0 : count() * group / groups_here;
  }

 private:
  std::vector<Piece> pieces_;
  std::vector<std::int64_t> first_;
  std::int64_t rows_ = 0;
};

}  // namespace lintel
