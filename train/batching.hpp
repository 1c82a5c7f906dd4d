// Which rows make up which batch. Everything here is a pure function of a seed and a step, so that a run that is
// resumed goes on with the same batches and has no state to save.
#pragma once

#include <cstdint>
#include <vector>

namespace lintel::train {

/// The rows 0 … `rows` - 1 in an order that depends on `seed` and `epoch` only; every order is equally likely.
std::vector<std::int64_t> shuffled_rows(std::int64_t rows, std::uint64_t seed, std::int64_t epoch);

/// How rows are packed into batches. Either size alone counts: a positive `tokens` goes before `rows`.
struct BatchOptions {
  std::uint64_t seed = 1;
  std::int64_t rows = 32;    ///< rows of a batch
  std::int64_t tokens = 0;   ///< tokens of a batch, on average; 0 means that `rows` decides
  std::int64_t window = 50;  ///< rows of similar length are sought among so many batches' worth; 1 means not at all
};

/// The batches of training. An epoch is a shuffled order of all rows, cut into windows; rows are sorted by length
/// within their window, cut into batches, and the batches are shuffled. Each row occurs once an epoch, and every epoch
/// has the same number of batches.
class BatchSchedule {
 public:
  /// `lengths[row]` is the number of tokens of a row. Throws `Error` if there are no rows or an option makes no sense.
  BatchSchedule(std::vector<std::int64_t> lengths, const BatchOptions& options);

  std::int64_t batches_per_epoch() const { return batches_; }

  /// The rows of the batch of `step`, counted from 0; a step past the epoch is a step of the next one. With `rows`, as
  /// many rows as that (once an epoch fewer, where they do not divide the data); with `tokens`, at least one row and at
  /// most `tokens` plus the length of the longest row. The reference holds until the next call.
  const std::vector<std::int64_t>& batch(std::int64_t step);

 private:
  std::vector<std::int64_t> order_of_epoch(std::int64_t epoch) const;
  void plan_epoch(std::int64_t epoch);

  std::vector<std::int64_t> lengths_;
  BatchOptions options_;
  std::int64_t total_tokens_ = 0;
  std::int64_t batches_ = 0;
  std::int64_t planned_epoch_ = -1;  // a cache only: what `batch` returns does not depend on it
  std::vector<std::vector<std::int64_t>> plan_;
};

/// The batches of evaluation: all rows, the shortest first, in batches of `rows` rows or, where it is positive, of at
/// most `tokens` tokens (a longer row is a batch of its own).
std::vector<std::vector<std::int64_t>> evaluation_batches(const std::vector<std::int64_t>& lengths, std::int64_t rows,
                                                          std::int64_t tokens = 0);

/// Where the `count` pieces of `length` tokens begin that the batch of `step` takes out of a text of `text_tokens`
/// tokens: uniform, and a function of `seed` and `step` only. Throws `Error` if the text is shorter than a piece.
std::vector<std::int64_t> random_pieces(std::int64_t text_tokens, std::int64_t length, std::int64_t count,
                                        std::uint64_t seed, std::int64_t step);

}  // namespace lintel::train
