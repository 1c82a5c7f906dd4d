#include <lintel/ops/sequences.hpp>

#include "op_table.hpp"

namespace lintel::op_table {

namespace {

using Ids = std::vector<std::int64_t>;

Input offsets_input(const Ids& offsets) {
  return given_input(Tensor({static_cast<std::int64_t>(offsets.size())}, offsets));
}

/// The sum, or mean, of each sequence by plain loops.
Tensor sum_by_loop(const Tensor& x, const Sequences& sequences, bool is_mean) {
  const std::int64_t width = x.size(-1);
  Tensor y = zeros({sequences.count(), width}, DType::float64);
  double* sums = write<double>(y, "reference");
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    for (std::int64_t j = 0; j < width; ++j) {
      double& sum = sums[i * width + j];
      for (std::int64_t row = sequences.begin(i); row < sequences.end(i); ++row)
        sum += x.data<double>()[row * width + j];
      if (is_mean && sequences.length(i) > 0) sum /= static_cast<double>(sequences.length(i));
    }
  }
  return y;
}

using SegmentOp = Tensor (*)(const Tensor&, const Sequences&);

OpRow packed_row(const std::string& op, SegmentOp segment, bool is_mean) {
  return {.op = op,
          .variant = "packed",
          .call = [=](const Tensors& x) { return segment(x[0], Sequences::packed(x[1])); },
          .samples = {{normal_input({6, 3}), offsets_input({0, 2, 5, 6})},
                      {normal_input({4, 2}), offsets_input({0, 0, 4, 4})},
                      {normal_input({0, 3}), offsets_input({0, 0})},
                      {normal_input({0, 3}), offsets_input({0})},
                      {normal_input({3, 0}), offsets_input({0, 3})}},
          .large = {normal_input({3000, 300}), offsets_input({0, 5, 2000, 2500, 3000})},
          .reference = [=](const Tensors& x) { return sum_by_loop(x[0], Sequences::packed(x[1]), is_mean); },
          .float32_tolerance = {1e-3, 1e-4},
          .errors = {{"segment_sum: shape (5, 2) has 5 rows, the sequences have 4",
                      [] {
                        segment_sum(zeros({5, 2}), Sequences::padded(2, 2));
                      }},
                     {"segment_mean: shape (5, 2) has 5 rows, the sequences have 4",
                      [] {
                        segment_mean(zeros({5, 2}), Sequences::padded(2, 2));
                      }},
                     {"segment_sum: shape (4,), (T, width) or (B, N, width) wanted",
                      [] { segment_sum(zeros({4}), Sequences::padded(2, 2)); }},
                     {"sequences: offsets begin at 1, 0 wanted", [] { Sequences::packed(arange(1, 3)); }},
                     {"sequences: offset 2 falls from 3 to 2, rising ones wanted",
                      [] {
                        Sequences::packed(Tensor({3}, Ids{0, 3, 2}));
                      }},
                     {"sequences: offsets have shape (0,), (sequences + 1,) wanted",
                      [] { Sequences::packed(arange(0, 0)); }},
                     {"sequences: offsets is float32, int64 wanted", [] { Sequences::packed(zeros({2})); }}}};
}

OpRow padded_row(const std::string& op, SegmentOp segment, bool is_mean) {
  const auto sequences_of = [](const Tensor& x) {
    Ids lengths;
    for (std::int64_t i = 0; i < x.size(0); ++i) lengths.push_back(i % (x.size(1) + 1));
    return Sequences::padded(x.size(0), x.size(1), lengths);
  };
  return {
      .op = op,
      .variant = "padded",
      .call = [=](const Tensors& x) { return segment(x[0], sequences_of(x[0])); },
      .samples = {{normal_input({4, 3, 2})}, {normal_input({2, 0, 2})}, {normal_input({0, 3, 2})}},
      .large = {normal_input({300, 11, 300})},
      .reference = [=](const Tensors& x) { return sum_by_loop(x[0], sequences_of(x[0]), is_mean); },
      .nan_may_vanish = {0},
      .float32_tolerance = {1e-4, 1e-4},
      .errors = {{"sequences: 1 lengths for 2 sequences, one for each wanted", [] { Sequences::padded(2, 3, {3}); }},
                 {"sequences: length 4 of sequence 1 is outside [0, 3]", [] {
                    Sequences::padded(2, 3, {3, 4});
                  }}}};
}

OpRow expand_row() {
  return {.op = "segment_expand",
          .call = [](const Tensors& x) { return segment_expand(x[0], Sequences::packed(x[1]), x[2].size(0)); },
          .samples = {{normal_input({3, 2}), offsets_input({0, 2, 5, 6}), index_input({6}, 1)},
                      {normal_input({2, 2}), offsets_input({0, 1, 3}), index_input({5}, 1)},
                      {normal_input({0, 3}), offsets_input({0}), index_input({0}, 1)}},
          .large = {normal_input({4, 300}), offsets_input({0, 5, 2000, 2500, 3000}), index_input({3000}, 1)},
          .reference =
              [](const Tensors& x) {
                const Sequences sequences = Sequences::packed(x[1]);
                const std::int64_t width = x[0].size(1);
                Tensor y = zeros({x[2].size(0), width}, DType::float64);
                for (std::int64_t i = 0; i < sequences.count(); ++i) {
                  for (std::int64_t place = sequences.begin(i) * width; place < sequences.end(i) * width; ++place) {
                    write<double>(y, "reference")[place] = x[0].data<double>()[i * width + place % width];
                  }
                }
                return y;
              },
          .float32_tolerance = {1e-3, 1e-4},
          .errors = {{"segment_expand: shape (3, 2), (2, width) wanted",
                      [] {
                        segment_expand(zeros({3, 2}), Sequences::padded(2, 2), 4);
                      }},
                     {"segment_expand: 3 rows, at least 4 wanted", [] {
                        segment_expand(zeros({2, 2}), Sequences::padded(2, 2), 3);
                      }}}};
}

}  // namespace

std::vector<OpRow> rows_of_sequences() {
  return {packed_row("segment_sum", segment_sum, false), padded_row("segment_sum", segment_sum, false),
          packed_row("segment_mean", segment_mean, true), padded_row("segment_mean", segment_mean, true), expand_row()};
}

}  // namespace lintel::op_table
