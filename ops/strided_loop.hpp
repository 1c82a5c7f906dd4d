// A loop over the elements of a contiguous result whose operands are read with strides: what broadcasting and
// permutations are made of.
#pragma once

#include <array>
#include <cstdint>

#include <lintel/core/error.hpp>
#include <lintel/core/shape.hpp>

namespace lintel {

/// The axes of a row-major result, and for each operand how far (in elements) a step along an axis moves. Neighbouring
/// axes that every operand walks through evenly become one, so that most loops have one or two axes left.
template <std::size_t Operands>
class StridedLoop {
 public:
  using Offsets = std::array<std::int64_t, Operands>;

  /// Adds an axis inside of all earlier ones.
  void append(std::int64_t size, const Offsets& strides) {
    size_ *= size;
    if (size == 1) return;
    if (rank_ > 0 && continues_evenly(size, strides)) {
      sizes_[rank_ - 1] *= size;
      strides_[rank_ - 1] = strides;
      return;
    }
    sizes_[rank_] = size;
    strides_[rank_] = strides;
    ++rank_;
  }

  /// Elements of the result.
  std::int64_t size() const { return size_; }
  /// The length of the innermost axis that is left; 1 for a single element.
  std::int64_t inner_size() const { return rank_ == 0 ? 1 : sizes_[rank_ - 1]; }
  /// The operands' strides along it. A broadcast operand has 0, a contiguous one 1.
  Offsets inner_strides() const {
    if (rank_ > 0) return strides_[rank_ - 1];
    Offsets ones;
    ones.fill(1);
    return ones;
  }

  /// Visits the elements [begin, end) of the result in order: `body(first, count, offsets)` for every stretch along the
  /// innermost axis, `first` being its place in the result and `offsets` the operands' places.
  template <class Body>
  void run(std::int64_t begin, std::int64_t end, Body&& body) const {
    if (begin >= end) return;
    std::array<std::int64_t, Shape::max_rank> index = index_of(begin);
    while (begin < end) {
      const std::int64_t left = rank_ == 0 ? 1 : sizes_[rank_ - 1] - index[rank_ - 1];
      const std::int64_t count = left < end - begin ? left : end - begin;
      body(begin, count, offsets_of(index));
      begin += count;
      if (rank_ > 0) advance(index);
    }
  }

 private:
  using Index = std::array<std::int64_t, Shape::max_rank>;

  bool continues_evenly(std::int64_t size, const Offsets& strides) const {
    for (std::size_t operand = 0; operand < Operands; ++operand) {
      if (strides_[rank_ - 1][operand] != size * strides[operand]) return false;
    }
    return true;
  }

  Index index_of(std::int64_t element) const {
    Index index{};
    for (std::size_t axis = rank_; axis-- > 0;) {
      index[axis] = element % sizes_[axis];
      element /= sizes_[axis];
    }
    return index;
  }

  Offsets offsets_of(const Index& index) const {
    Offsets offsets{};
    for (std::size_t axis = 0; axis < rank_; ++axis) {
      for (std::size_t operand = 0; operand < Operands; ++operand) {
        offsets[operand] += index[axis] * strides_[axis][operand];
      }
    }
    return offsets;
  }

  /// To the beginning of the next stretch along the innermost axis.
  void advance(Index& index) const {
    index[rank_ - 1] = 0;
    for (std::size_t axis = rank_ - 1; axis-- > 0;) {
      if (++index[axis] < sizes_[axis]) return;
      index[axis] = 0;
    }
  }

  std::array<std::int64_t, Shape::max_rank> sizes_{};
  std::array<Offsets, Shape::max_rank> strides_{};
  std::size_t rank_ = 0;
  std::int64_t size_ = 1;
};

/// The strides of a contiguous tensor of `shape`, per axis, innermost 1.
inline std::array<std::int64_t, Shape::max_rank> contiguous_strides(const Shape& shape) {
  std::array<std::int64_t, Shape::max_rank> strides{};
  std::int64_t stride = 1;
  for (int axis = shape.rank(); axis-- > 0;) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape.begin()[axis];
  }
  return strides;
}

/// The loop over `result` with operands of the shapes `operands`, each of which broadcasts to it.
template <std::size_t Operands>
StridedLoop<Operands> broadcast_loop(const Shape& result, const std::array<const Shape*, Operands>& operands) {
  std::array<std::array<std::int64_t, Shape::max_rank>, Operands> strides;
  for (std::size_t operand = 0; operand < Operands; ++operand)
    strides[operand] = contiguous_strides(*operands[operand]);
  StridedLoop<Operands> loop;
  for (int axis = 0; axis < result.rank(); ++axis) {
    typename StridedLoop<Operands>::Offsets along{};
    for (std::size_t operand = 0; operand < Operands; ++operand) {
      const int own_axis = axis - (result.rank() - operands[operand]->rank());
      const bool walks = own_axis >= 0 && operands[operand]->begin()[own_axis] != 1;
      if (walks) along[operand] = strides[operand][static_cast<std::size_t>(own_axis)];
    }
    loop.append(result.begin()[axis], along);
  }
  return loop;
}

/// The shape that `a` and `b` broadcast to by NumPy's rule: aligned at the last axis, a size of 1 stretches.
/// Throws an `Error` that names `op` when two sizes differ and neither is 1.
inline Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const int rank = a.rank() > b.rank() ? a.rank() : b.rank();
  std::array<std::int64_t, Shape::max_rank> sizes{};
  for (int back = 1; back <= rank; ++back) {
    const std::int64_t size_a = back <= a.rank() ? a.end()[-back] : 1;
    const std::int64_t size_b = back <= b.rank() ? b.end()[-back] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1) {
      fail(op, ": shapes ", a, " and ", b, " do not broadcast, each axis wants equal sizes or a 1");
    }
    sizes[static_cast<std::size_t>(rank - back)] = size_a == 1 ? size_b : size_a;
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank)));
}

}  // namespace lintel
