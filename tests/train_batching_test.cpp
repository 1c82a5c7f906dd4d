// Which rows make up which batch.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <lintel/train/batching.hpp>
#include <map>
#include <numeric>
#include <set>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

using Rows = std::vector<std::int64_t>;

/// Lengths between 1 and `longest`, in no order.
Rows some_lengths(std::int64_t rows, std::int64_t longest) {
  Rows lengths;
  std::uint64_t state = 7;
  for (std::int64_t i = 0; i < rows; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    lengths.push_back(1 + static_cast<std::int64_t>((state >> 33) % static_cast<std::uint64_t>(longest)));
  }
  return lengths;
}

std::int64_t tokens_of(const Rows& batch, const Rows& lengths) {
  std::int64_t tokens = 0;
  for (const std::int64_t row : batch) tokens += lengths[static_cast<std::size_t>(row)];
  return tokens;
}

/// Tokens that padding every batch of an epoch to its longest row would add, as a share of the real ones.
double padding_share(BatchSchedule& schedule, const Rows& lengths) {
  double real = 0, padded = 0;
  for (std::int64_t step = 0; step < schedule.batches_per_epoch(); ++step) {
    const Rows& batch = schedule.batch(step);
    std::int64_t longest = 0;
    for (const std::int64_t row : batch) longest = std::max(longest, lengths[static_cast<std::size_t>(row)]);
    real += static_cast<double>(tokens_of(batch, lengths));
    padded += static_cast<double>(longest) * static_cast<double>(batch.size());
  }
  return padded / real - 1;
}

void check_each_row_once_an_epoch(const BatchOptions& options, const Rows& lengths) {
  BatchSchedule schedule(lengths, options);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    Rows seen;
    for (std::int64_t step = 0; step < schedule.batches_per_epoch(); ++step) {
      const Rows& batch = schedule.batch(epoch * schedule.batches_per_epoch() + step);
      REQUIRE(!batch.empty());
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    std::sort(seen.begin(), seen.end());
    Rows all(lengths.size());
    std::iota(all.begin(), all.end(), 0);
    CHECK(seen == all);
  }
}

}  // namespace

TEST_CASE("a shuffled order is a permutation, the same for the same seed and epoch only") {
  const Rows order = shuffled_rows(1000, 3, 0);
  CHECK(order == shuffled_rows(1000, 3, 0));
  CHECK(order != shuffled_rows(1000, 3, 1));
  CHECK(order != shuffled_rows(1000, 4, 0));
  Rows sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::int64_t i = 0; i < 1000; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
  CHECK(shuffled_rows(0, 3, 0).empty());
}

TEST_CASE("the order of the data is the same on every platform") {
  CHECK(shuffled_rows(8, 1, 0) == Rows{1, 7, 3, 6, 0, 2, 4, 5});
  CHECK(random_pieces(1'000'000'000'000, 1, 3, 1, 0) == Rows{931'112'187'411, 318'305'035'375, 432'145'101'525});
  BatchSchedule schedule({3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, {.rows = 4, .window = 2});
  CHECK(schedule.batch(0) == Rows{5, 1});
  CHECK(schedule.batch(1) == Rows{2, 8, 4, 7});
  CHECK(schedule.batch(2) == Rows{3, 6, 9, 0});
}

TEST_CASE("every order of rows is equally likely") {
  std::map<Rows, int> counts;
  for (std::int64_t epoch = 0; epoch < 6000; ++epoch) ++counts[shuffled_rows(3, 11, epoch)];
  REQUIRE(counts.size() == 6);
  for (const auto& [order, count] : counts) CHECK(std::abs(count - 1000) < 150);
}

TEST_CASE("each row occurs once an epoch, by rows and by tokens, with and without windows") {
  const Rows lengths = some_lengths(1003, 90);
  check_each_row_once_an_epoch({.rows = 32}, lengths);
  check_each_row_once_an_epoch({.rows = 32, .window = 1}, lengths);
  check_each_row_once_an_epoch({.rows = 5000}, lengths);
  check_each_row_once_an_epoch({.tokens = 700, .window = 7}, lengths);
  check_each_row_once_an_epoch({.tokens = 700, .window = 1}, lengths);
  check_each_row_once_an_epoch({.tokens = 1}, lengths);
  check_each_row_once_an_epoch({.tokens = 1'000'000}, lengths);
  check_each_row_once_an_epoch({.tokens = 3}, {0, 0, 50, 0, 0, 1});
}

TEST_CASE("the batch of a step does not depend on the steps asked for before") {
  const Rows lengths = some_lengths(500, 60);
  for (const BatchOptions options : {BatchOptions{.seed = 5, .rows = 16}, BatchOptions{.seed = 5, .tokens = 600}}) {
    BatchSchedule in_order(lengths, options);
    std::vector<Rows> batches;
    for (std::int64_t step = 0; step < 100; ++step) batches.push_back(in_order.batch(step));
    BatchSchedule backwards(lengths, options);
    for (std::int64_t step = 99; step >= 0; step -= 3) {
      REQUIRE(backwards.batch(step) == batches[static_cast<std::size_t>(step)]);
    }
  }
}

TEST_CASE("seeds and epochs make other batches") {
  const Rows lengths = some_lengths(500, 60);
  BatchSchedule first(lengths, {.seed = 1}), second(lengths, {.seed = 2});
  CHECK(first.batch(0) != second.batch(0));
  const Rows one = first.batch(0);
  CHECK(one != first.batch(first.batches_per_epoch()));
}

TEST_CASE("batches of rows have that many, but for one an epoch") {
  const Rows lengths = some_lengths(100, 60);
  BatchSchedule schedule(lengths, {.rows = 32});
  REQUIRE(schedule.batches_per_epoch() == 4);
  std::multiset<std::size_t> sizes;
  for (std::int64_t step = 0; step < 4; ++step) sizes.insert(schedule.batch(step).size());
  CHECK(sizes == std::multiset<std::size_t>{4, 32, 32, 32});
}

TEST_CASE("batches of tokens have about that many, and at most the longest row more") {
  const Rows lengths = some_lengths(3000, 100);
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const std::int64_t total = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  BatchSchedule schedule(lengths, {.tokens = 1000});
  CHECK(schedule.batches_per_epoch() == (total + 999) / 1000);
  for (std::int64_t step = 0; step < 2 * schedule.batches_per_epoch(); ++step) {
    const std::int64_t tokens = tokens_of(schedule.batch(step), lengths);
    CHECK(tokens <= 1000 + longest);
    CHECK(tokens >= 1000 - 2 * longest);
  }
}

TEST_CASE("windows bring similar lengths together") {
  const Rows lengths = some_lengths(4000, 200);
  for (const std::int64_t tokens : {std::int64_t{0}, std::int64_t{3200}}) {
    BatchSchedule windowed(lengths, {.tokens = tokens, .window = 20});
    BatchSchedule shuffled(lengths, {.tokens = tokens, .window = 1});
    CHECK(padding_share(windowed, lengths) < 0.15);
    CHECK(padding_share(shuffled, lengths) > 0.6);
  }
}

TEST_CASE("lengths do not come in order") {
  const Rows lengths = some_lengths(4000, 200);
  BatchSchedule schedule(lengths, {.rows = 20, .window = 200});
  int rises = 0;
  for (std::int64_t step = 1; step < 200; ++step) {
    const std::int64_t before = tokens_of(schedule.batch(step - 1), lengths);
    rises += tokens_of(schedule.batch(step), lengths) > before;
  }
  CHECK(rises > 60);
  CHECK(rises < 140);
}

TEST_CASE("evaluation batches have each row once, the shortest first") {
  const Rows lengths = some_lengths(1000, 100);
  for (const auto& batches : {evaluation_batches(lengths, 64), evaluation_batches(lengths, 64, 640)}) {
    Rows order;
    for (const Rows& batch : batches) {
      REQUIRE(!batch.empty());
      order.insert(order.end(), batch.begin(), batch.end());
    }
    REQUIRE(order.size() == lengths.size());
    CHECK(std::set<std::int64_t>(order.begin(), order.end()).size() == lengths.size());
    CHECK(std::is_sorted(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return lengths[static_cast<std::size_t>(a)] < lengths[static_cast<std::size_t>(b)];
    }));
  }
  CHECK(evaluation_batches({}, 64).empty());
}

TEST_CASE("evaluation batches by tokens keep the limit, but for a row that is longer itself") {
  const Rows lengths = some_lengths(1000, 100);
  for (const Rows& batch : evaluation_batches(lengths, 64, 640)) CHECK(tokens_of(batch, lengths) <= 640);
  CHECK(evaluation_batches({5, 50, 1, 4, 60}, 1, 10) == std::vector<Rows>{{2, 3, 0}, {1}, {4}});
}

TEST_CASE("pieces of a text are a function of seed and step, and cover it") {
  const Rows starts = random_pieces(100, 10, 5, 3, 0);
  CHECK(starts == random_pieces(100, 10, 5, 3, 0));
  CHECK(starts != random_pieces(100, 10, 5, 3, 1));
  CHECK(starts != random_pieces(100, 10, 5, 4, 0));
  std::set<std::int64_t> seen;
  for (std::int64_t step = 0; step < 400; ++step) {
    for (const std::int64_t start : random_pieces(100, 10, 5, 3, step)) seen.insert(start);
  }
  CHECK(seen.size() == 91);
  CHECK(*seen.begin() == 0);
  CHECK(*seen.rbegin() == 90);
  CHECK(random_pieces(10, 10, 2, 1, 0) == Rows{0, 0});
}

TEST_CASE("what makes no batch is an error") {
  CHECK(contains(error_of([] { BatchSchedule({}, {}); }), "got no rows, wanted at least one"));
  CHECK(contains(error_of([] { BatchSchedule({1, -1}, {}); }), "a row has a negative length"));
  CHECK(contains(error_of([] { BatchSchedule({1}, {.rows = 0}); }), "got 0 rows a batch, wanted at least 1"));
  CHECK(contains(error_of([] { BatchSchedule({1}, {.tokens = -5}); }), "got -5 tokens a batch"));
  CHECK(contains(error_of([] { BatchSchedule({1}, {.window = 0}); }), "got a window of 0 batches"));
  CHECK(contains(error_of([] { BatchSchedule({1}, {}).batch(-1); }), "got step -1, wanted 0 or more"));
  CHECK(contains(error_of([] { random_pieces(9, 10, 1, 1, 0); }),
                 "the text has 9 tokens, wanted at least one piece of 10"));
  CHECK(contains(error_of([] { shuffled_rows(-1, 1, 0); }), "got -1 rows"));
}
