#include <cmath>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/ops/checks.hpp>
#include <lintel/ops/rotary.hpp>
#include <lintel/ops/row_blocks.hpp>

namespace lintel {
namespace rotary_detail {

constexpr std::int64_t block = 64;  // rows of a task, and positions whose rotations are tabulated
constexpr double cost = 4;          // operations per element

void check_inputs(const Tensor& x, const Tensor& positions, const RotaryOptions& options) {
  check_defined("rotary", x, "x");
  if (x.rank() < 2) fail("rotary: x has shape ", x.shape(), ", (..., heads, head_dim) wanted");
  if (x.size(-1) % 2 != 0) fail("rotary: head_dim is ", x.size(-1), ", an even number wanted");
  check_dtype("rotary", positions, DType::int64, "positions");
  const std::int64_t rows = leading_size(x.shape(), 2);
  if (positions.size() != rows) fail("rotary: ", positions.size(), " positions for ", rows, " rows of x ", x.shape());
  if (!(options.base > 0 && std::isfinite(options.base))) {
    fail("rotary: base is ", options.base, ", a positive number wanted");
  }
}

struct Rotation {
  double cosine, sine;

  Rotation then(const Rotation& other) const {
    return {cosine * other.cosine - sine * other.sine, cosine * other.sine + sine * other.cosine};
  }
};

/// The rotations of all pairs at any position. As positions mostly follow each other, a position is cut into a multiple
/// of the step and a rest, whose rotations stand in a table: that saves most of the sines of many rows.
class Rotations {
 public:
  Rotations(std::int64_t rows, std::int64_t head_dim, const RotaryOptions& options) : step_(rows < block ? 1 : block) {
    const double sign = options.inverse ? -1 : 1;
    for (std::int64_t i = 0; i < head_dim; i += 2) {
      frequencies_.push_back(sign * std::pow(options.base, -static_cast<double>(i) / static_cast<double>(head_dim)));
    }
    for (std::int64_t rest = 0; rest < step_; ++rest) append(rest, table_);
  }

  std::size_t pairs() const { return frequencies_.size(); }

  /// The multiple of the step at or below `position`.
  std::int64_t multiple_below(std::int64_t position) const { return position - rest_of(position); }
  /// The rotations at a position.
  std::vector<Rotation> at(std::int64_t position) const {
    std::vector<Rotation> rotations;
    append(position, rotations);
    return rotations;
  }
  /// The rotations from the multiple below `position` to it.
  const Rotation* from_multiple(std::int64_t position) const {
    return table_.data() + static_cast<std::size_t>(rest_of(position)) * pairs();
  }

 private:
  std::int64_t rest_of(std::int64_t position) const { return ((position % step_) + step_) % step_; }

  void append(std::int64_t position, std::vector<Rotation>& to) const {
    for (const double frequency : frequencies_) {
      const double angle = static_cast<double>(position) * frequency;
      to.push_back({std::cos(angle), std::sin(angle)});
    }
  }

  std::int64_t step_;
  std::vector<double> frequencies_;
  std::vector<Rotation> table_;
};

/// All heads of one row; `row` has `heads` times the pairs.
template <class T>
void turn_row(const std::vector<Rotation>& coarse, const Rotation* fine, std::int64_t heads, const T* x, T* y,
              std::vector<T>& rotations) {
  const std::size_t pairs = coarse.size();
  for (std::size_t i = 0; i < pairs; ++i) {
    const Rotation rotation = coarse[i].then(fine[i]);
    rotations[2 * i] = static_cast<T>(rotation.cosine);
    rotations[2 * i + 1] = static_cast<T>(rotation.sine);
  }
  for (std::int64_t head = 0; head < heads; ++head, x += 2 * pairs, y += 2 * pairs) {
    for (std::size_t i = 0; i < 2 * pairs; i += 2) {
      const T cosine = rotations[i], sine = rotations[i + 1];
      y[i] = x[i] * cosine - x[i + 1] * sine;
      y[i + 1] = x[i] * sine + x[i + 1] * cosine;
    }
  }
}

template <class T>
void turn(const Tensor& x, const Tensor& positions, const RotaryOptions& options, const Tensor& y) {
  const std::int64_t heads = x.size(-2), head_dim = x.size(-1), row_size = heads * head_dim;
  const T* input = x.data<T>();
  T* output = write<T>(y, "rotary");
  const auto* place = positions.data<std::int64_t>();
  const Rotations rotations(positions.size(), head_dim, options);
  const double row_cost = cost * static_cast<double>(row_size);
  parallel_blocks(positions.size(), block, row_cost, [&](std::int64_t begin, std::int64_t end) {
    std::vector<T> of_row(2 * rotations.pairs());
    std::vector<Rotation> coarse;
    std::int64_t coarse_position = 0;
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t below = rotations.multiple_below(place[row]);
      if (row == begin || below != coarse_position) coarse = rotations.at(below);
      coarse_position = below;
      turn_row<T>(coarse, rotations.from_multiple(place[row]), heads, input + row * row_size, output + row * row_size,
                  of_row);
    }
  });
}

}  // namespace rotary_detail

Tensor rotary(const Tensor& x, const Tensor& positions, const RotaryOptions& options) {
  rotary_detail::check_inputs(x, positions, options);
  Tensor y = empty(x.shape(), x.dtype());
  with_float_type("rotary", x.dtype(), [&]<class T>() { rotary_detail::turn<T>(x, positions, options, y); });
  // A rotation's adjoint is its inverse.
  record({.name = "rotary",
          .inputs = {x, positions},
          .outputs = {y},
          .saved = {positions},
          .vjp = [options](const Backward& b) {
            const RotaryOptions back{options.base, !options.inverse};
            return std::vector{b.wants(0) ? rotary(b.cotangent(), b.saved(0), back) : Tensor(), Tensor()};
          }});
  return y;
}

}  // namespace lintel
