#include <algorithm>
#include <lintel/core/error.hpp>
#include <lintel/core/random.hpp>
#include <lintel/train/batching.hpp>
#include <numeric>

namespace lintel::train {
namespace {

using Rows = std::vector<std::int64_t>;

// Labels of the streams that are derived from one seed: equal streams would tie the orders of rows and batches
// together.
constexpr std::uint64_t row_stream = 1, batch_stream = 2, piece_stream = 3;

Rng stream_of(std::uint64_t seed, std::uint64_t stream, std::int64_t counter) {
  return Rng(derive_key(derive_key(seed, stream), static_cast<std::uint64_t>(counter)));
}

// Fisher and Yates.
template <class T>
void shuffle(std::vector<T>& items, Rng random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
  }
}

Rows rows_in_file_order(std::size_t count) {
  Rows rows(count);
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return rows;
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0); }

std::int64_t length_of(const Rows& lengths, std::int64_t row) { return lengths[static_cast<std::size_t>(row)]; }

// The places at which `order` is cut into `batches` batches of about equal numbers of tokens: a batch begins with the
// first row that starts at or after its share of the tokens, and has at least one row however long the others are.
std::vector<std::size_t> cuts_by_tokens(const Rows& order, const Rows& lengths, std::int64_t batches,
                                        std::int64_t total_tokens) {
  std::vector<std::size_t> cuts = {0};
  const double share = static_cast<double>(total_tokens) / static_cast<double>(batches);
  std::int64_t start = 0;
  std::size_t place = 0;
  for (std::int64_t batch = 1; batch < batches; ++batch) {
    const std::size_t first = cuts.back() + 1;
    const std::size_t last = order.size() - static_cast<std::size_t>(batches - batch);
    while (place < last && (place < first || static_cast<double>(start) < share * static_cast<double>(batch))) {
      start += length_of(lengths, order[place++]);
    }
    cuts.push_back(place);
  }
  cuts.push_back(order.size());
  return cuts;
}

std::vector<std::size_t> cuts_by_rows(std::size_t count, std::size_t rows) {
  std::vector<std::size_t> cuts;
  for (std::size_t place = 0; place < count; place += rows) cuts.push_back(place);
  cuts.push_back(count);
  return cuts;
}

std::vector<Rows> cut_rows(const Rows& order, const std::vector<std::size_t>& cuts) {
  std::vector<Rows> batches;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    batches.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(cuts[i]),
                         order.begin() + static_cast<std::ptrdiff_t>(cuts[i + 1]));
  }
  return batches;
}

void check_batch_input(const Rows& lengths, std::int64_t rows, std::int64_t tokens) {
  if (lengths.empty()) fail("batches: got no rows, wanted at least one");
  if (*std::min_element(lengths.begin(), lengths.end()) < 0) fail("batches: a row has a negative length");
  if (rows < 1) fail("batches: got ", rows, " rows a batch, wanted at least 1");
  if (tokens < 0) fail("batches: got ", tokens, " tokens a batch, wanted at least 1, or 0 to count rows");
}

}  // namespace

std::vector<std::int64_t> shuffled_rows(std::int64_t rows, std::uint64_t seed, std::int64_t epoch) {
  if (rows < 0) fail("shuffled_rows: got ", rows, " rows, wanted 0 or more");
  Rows order = rows_in_file_order(static_cast<std::size_t>(rows));
  shuffle(order, stream_of(seed, row_stream, epoch));
  return order;
}

BatchSchedule::BatchSchedule(std::vector<std::int64_t> lengths, const BatchOptions& options)
    : lengths_(std::move(lengths)), options_(options) {
  check_batch_input(lengths_, options_.rows, options_.tokens);
  if (options_.window < 1) fail("batches: got a window of ", options_.window, " batches, wanted at least 1");
  total_tokens_ = std::accumulate(lengths_.begin(), lengths_.end(), std::int64_t{0});
  const auto rows = static_cast<std::int64_t>(lengths_.size());
  batches_ = options_.tokens > 0 ? std::clamp(divide_up(total_tokens_, options_.tokens), std::int64_t{1}, rows)
                                 : divide_up(rows, options_.rows);
}

// Every other window goes from long to short, so that a batch across the border of two has rows of similar length too.
std::vector<std::int64_t> BatchSchedule::order_of_epoch(std::int64_t epoch) const {
  const auto rows = static_cast<std::int64_t>(lengths_.size());
  Rows order = shuffled_rows(rows, options_.seed, epoch);
  if (options_.window == 1) return order;
  const std::int64_t rows_of_batch = options_.tokens > 0 ? divide_up(rows, batches_) : options_.rows;
  const std::int64_t window = rows_of_batch * std::min(options_.window, divide_up(rows, rows_of_batch));
  bool rising = true;
  for (std::int64_t begin = 0; begin < rows; begin += window, rising = !rising) {
    const auto first = order.begin() + begin;
    std::stable_sort(first, order.begin() + std::min(begin + window, rows), [&](std::int64_t a, std::int64_t b) {
      return rising ? length_of(lengths_, a) < length_of(lengths_, b) : length_of(lengths_, a) > length_of(lengths_, b);
    });
  }
  return order;
}

void BatchSchedule::plan_epoch(std::int64_t epoch) {
  const Rows order = order_of_epoch(epoch);
  const auto cuts = options_.tokens > 0 ? cuts_by_tokens(order, lengths_, batches_, total_tokens_)
                                        : cuts_by_rows(order.size(), static_cast<std::size_t>(options_.rows));
  plan_ = cut_rows(order, cuts);
  shuffle(plan_, stream_of(options_.seed, batch_stream, epoch));
  planned_epoch_ = epoch;
}

const std::vector<std::int64_t>& BatchSchedule::batch(std::int64_t step) {
  if (step < 0) fail("batches: got step ", step, ", wanted 0 or more");
  const std::int64_t epoch = step / batches_;
  if (epoch != planned_epoch_) plan_epoch(epoch);
  return plan_[static_cast<std::size_t>(step % batches_)];
}

std::vector<std::vector<std::int64_t>> evaluation_batches(const std::vector<std::int64_t>& lengths, std::int64_t rows,
                                                          std::int64_t tokens) {
  if (lengths.empty()) return {};
  check_batch_input(lengths, rows, tokens);
  Rows order = rows_in_file_order(lengths.size());
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return length_of(lengths, a) < length_of(lengths, b); });
  if (tokens == 0) return cut_rows(order, cuts_by_rows(order.size(), static_cast<std::size_t>(rows)));
  std::vector<std::size_t> cuts = {0};
  std::int64_t tokens_so_far = 0;
  for (std::size_t place = 0; place < order.size(); ++place) {
    tokens_so_far += length_of(lengths, order[place]);
    if (tokens_so_far <= tokens || place == cuts.back()) continue;
    cuts.push_back(place);
    tokens_so_far = length_of(lengths, order[place]);
  }
  cuts.push_back(order.size());
  return cut_rows(order, cuts);
}

std::vector<std::int64_t> random_pieces(std::int64_t text_tokens, std::int64_t length, std::int64_t count,
                                        std::uint64_t seed, std::int64_t step) {
  if (length < 1 || text_tokens < length) {
    fail("pieces: the text has ", text_tokens, " tokens, wanted at least one piece of ", length);
  }
  if (count < 0 || step < 0) fail("pieces: got ", count, " pieces at step ", step, ", wanted 0 or more of both");
  Rng random = stream_of(seed, piece_stream, step);
  std::vector<std::int64_t> starts;
  for (std::int64_t i = 0; i < count; ++i) starts.push_back(random.below(text_tokens - length + 1));
  return starts;
}

}  // namespace lintel::train
