#include <algorithm>

#include <lintel/autograd/tape.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/sequences.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel {

// ---- Sequences -----------------------------------------------------------------------------------------------------

Sequences::Sequences(std::vector<Span> spans, std::int64_t rows)
    : spans_(std::make_shared<const std::vector<Span>>(std::move(spans))), rows_(rows) {}

Sequences Sequences::packed(const Tensor& offsets) {
  check_dtype("sequences", offsets, DType::int64, "offsets");
  if (offsets.rank() != 1 || offsets.size() == 0) {
    fail("sequences: offsets have shape ", offsets.shape(), ", (sequences + 1,) wanted");
  }
  const std::int64_t* offset = offsets.data<std::int64_t>();
  if (offset[0] != 0) fail("sequences: offsets begin at ", offset[0], ", 0 wanted");
  std::vector<Span> spans;
  for (std::int64_t i = 0; i + 1 < offsets.size(); ++i) {
    if (offset[i + 1] < offset[i]) {
      fail("sequences: offset ", i + 1, " falls from ", offset[i], " to ", offset[i + 1], ", rising ones wanted");
    }
    spans.push_back({offset[i], offset[i + 1]});
  }
  return {std::move(spans), offset[offsets.size() - 1]};
}

Sequences Sequences::padded(std::int64_t batch, std::int64_t length, const std::vector<std::int64_t>& lengths) {
  const std::int64_t rows = Shape{batch, length}.size();
  if (!lengths.empty() && static_cast<std::int64_t>(lengths.size()) != batch) {
    fail("sequences: ", lengths.size(), " lengths for ", batch, " sequences, one for each wanted");
  }
  std::vector<Span> spans;
  for (std::int64_t i = 0; i < batch; ++i) {
    const std::int64_t own = lengths.empty() ? length : lengths[static_cast<std::size_t>(i)];
    if (own < 0 || own > length) fail("sequences: length ", own, " of sequence ", i, " is outside [0, ", length, "]");
    spans.push_back({i * length, i * length + own});
  }
  return {std::move(spans), rows};
}

std::int64_t Sequences::longest() const {
  std::int64_t longest = 0;
  for (const Span& span : *spans_) longest = std::max(longest, span.end - span.begin);
  return longest;
}

Packed pack(const std::vector<std::vector<std::int64_t>>& sequences) {
  std::vector<std::int64_t> ids, offsets = {0};
  for (const auto& sequence : sequences) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
  }
  const auto tokens = static_cast<std::int64_t>(ids.size()), ends = static_cast<std::int64_t>(offsets.size());
  return {Tensor({tokens}, ids), Tensor({ends}, offsets)};
}

// ---- Sums of segments ----------------------------------------------------------------------------------------------

namespace sequences_detail {

constexpr std::int64_t piece = 256;         // rows that one task adds up; longer sequences are cut
constexpr std::int64_t column_block = 256;  // columns that one task works on
constexpr std::int64_t block = 1 << 14;     // elements that one task copies

/// Rows begin ≤ row < end.
struct Segment {
  std::int64_t begin, end;
};

/// Cuts segments into pieces, an empty one into one of no rows; `of_pieces` says which pieces make up each segment.
std::vector<Segment> cut_segments(const std::vector<Segment>& segments, std::vector<Segment>& of_pieces) {
  std::vector<Segment> pieces;
  for (const Segment& segment : segments) {
    const auto first = static_cast<std::int64_t>(pieces.size());
    std::int64_t row = segment.begin;
    do {
      pieces.push_back({row, std::min(row + piece, segment.end)});
      row = pieces.back().end;
    } while (row < segment.end);
    of_pieces.push_back({first, static_cast<std::int64_t>(pieces.size())});
  }
  return pieces;
}

/// sums[i] = Σ of the rows of segment i, of `width` elements each. A long segment is summed in pieces, whose sums are
/// summed in turn: the order depends on the lengths only, many threads find work, and rounding errors grow slowly.
template <class T>
void sum_segments(const T* rows, std::int64_t width, const std::vector<Segment>& segments, T* sums) {
  std::vector<Segment> of_pieces;
  const std::vector<Segment> pieces = cut_segments(segments, of_pieces);
  const auto count = static_cast<std::int64_t>(pieces.size());
  const bool is_cut = pieces.size() > segments.size();
  const Tensor partial = is_cut ? empty({count, width}, dtype_of<T>()) : Tensor();
  T* target = is_cut ? write<T>(partial, "segment_sum") : sums;
  const std::int64_t column_blocks = (width + column_block - 1) / column_block;
  std::int64_t row_count = 0;
  for (const Segment& segment : segments) row_count += segment.end - segment.begin;
  const std::int64_t tasks = count * column_blocks;
  parallel_for(tasks, share_of_task(static_cast<double>(row_count * width), tasks), [&](std::int64_t task) {
    const std::int64_t first = task % column_blocks * column_block, index = task / column_blocks;
    const std::int64_t columns = std::min(column_block, width - first);
    const Segment& segment = pieces[static_cast<std::size_t>(index)];
    T* sum = target + index * width + first;
    std::fill_n(sum, columns, T(0));
    active_kernels<T>().add_column_sums(rows + segment.begin * width + first, width, sum, segment.end - segment.begin,
                                        columns);
  });
  if (is_cut) sum_segments<T>(target, width, of_pieces, sums);
}

template <class T>
void expand_sequences(const Tensor& y, const Sequences& sequences, const Tensor& rows) {
  const std::int64_t width = y.size(1);
  const T* from = y.data<T>();
  T* to = write<T>(rows, "segment_expand");
  std::vector<std::int64_t> source(static_cast<std::size_t>(rows.size(0)), -1);  // -1: no sequence has the row
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    std::fill(source.begin() + sequences.begin(i), source.begin() + sequences.end(i), i);
  }
  const std::int64_t rows_of_task = std::max<std::int64_t>(1, block / std::max<std::int64_t>(1, width));
  parallel_blocks(rows.size(0), rows_of_task, static_cast<double>(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t sequence = source[static_cast<std::size_t>(row)];
      if (sequence < 0) {
        std::fill_n(to + row * width, width, T(0));
      } else {
        std::copy_n(from + sequence * width, width, to + row * width);
      }
    }
  });
}

/// Throws unless x is (T, h) or (B, N, h) and its flattened rows are those of `sequences`.
void check_rows(const char* op, const Tensor& x, const Sequences& sequences) {
  check_defined(op, x, "the input");
  if (x.rank() != 2 && x.rank() != 3) fail(op, ": shape ", x.shape(), ", (T, width) or (B, N, width) wanted");
  const std::int64_t rows = x.rank() == 2 ? x.size(0) : x.size(0) * x.size(1);
  if (rows != sequences.rows()) {
    fail(op, ": shape ", x.shape(), " has ", rows, " rows, the sequences have ", sequences.rows());
  }
}

}  // namespace sequences_detail

Tensor segment_sum(const Tensor& x, const Sequences& sequences) {
  using namespace sequences_detail;
  check_rows("segment_sum", x, sequences);
  Tensor sums = empty({sequences.count(), x.size(-1)}, x.dtype());
  std::vector<Segment> segments;
  for (std::int64_t i = 0; i < sequences.count(); ++i) segments.push_back({sequences.begin(i), sequences.end(i)});
  with_float_type("segment_sum", x.dtype(),
                  [&]<class T>() { sum_segments(x.data<T>(), x.size(-1), segments, write<T>(sums, "segment_sum")); });
  record({.name = "segment_sum",
          .inputs = {x},
          .outputs = {sums},
          .saved = {},
          .vjp = [sequences, shape = x.shape()](const Backward& backward) {
            return std::vector{reshape(segment_expand(backward.cotangent(), sequences, sequences.rows()), shape)};
          }});
  return sums;
}

Tensor segment_mean(const Tensor& x, const Sequences& sequences) {
  using namespace sequences_detail;
  check_rows("segment_mean", x, sequences);
  const Tensor share = empty({sequences.count(), 1}, x.dtype());
  with_float_type("segment_mean", x.dtype(), [&]<class T>() {
    T* shares = write<T>(share, "segment_mean");
    for (std::int64_t i = 0; i < sequences.count(); ++i) {
      shares[i] = T(1) / static_cast<T>(std::max<std::int64_t>(1, sequences.length(i)));
    }
  });
  return mul(segment_sum(x, sequences), share);
}

Tensor segment_expand(const Tensor& y, const Sequences& sequences, std::int64_t rows) {
  using namespace sequences_detail;
  check_defined("segment_expand", y, "the input");
  if (y.rank() != 2 || y.size(0) != sequences.count()) {
    fail("segment_expand: shape ", y.shape(), ", (", sequences.count(), ", width) wanted");
  }
  if (rows < sequences.rows()) fail("segment_expand: ", rows, " rows, at least ", sequences.rows(), " wanted");
  Tensor result = empty({rows, y.size(1)}, y.dtype());
  with_float_type("segment_expand", y.dtype(), [&]<class T>() { expand_sequences<T>(y, sequences, result); });
  record({.name = "segment_expand",
          .inputs = {y},
          .outputs = {result},
          .saved = {},
          .vjp = [sequences](const Backward& backward) {
            const Tensor own_rows = slice(backward.cotangent(), 0, 0, sequences.rows());
            return std::vector{segment_sum(own_rows, sequences)};
          }});
  return result;
}

}  // namespace lintel
