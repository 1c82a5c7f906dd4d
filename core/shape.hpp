// The sizes of a tensor's axes.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

namespace lintel {

/// Sizes of up to eight axes, outermost first; a value without heap memory. Rank 0 is a scalar.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  /// Throws `Error` for a negative size, more than eight axes, or a product that overflows 64 bits.
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  /// The number of elements: the product of all sizes, 1 for a scalar.
  std::int64_t size() const { return size_; }
  /// The size of one axis; a negative axis counts from the end. Throws `Error` out of range.
  std::int64_t operator[](int axis) const { return sizes_[static_cast<std::size_t>(resolve("shape", axis))]; }
  /// `axis` as a number from 0; negative counts from the end. Throws an `Error` that names `op` when out of range.
  int resolve(const char* op, int axis) const;
  /// This shape with the size of `axis` replaced.
  Shape with(int axis, std::int64_t size) const;

  const std::int64_t* begin() const { return sizes_.data(); }
  const std::int64_t* end() const { return sizes_.data() + rank_; }
  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, max_rank> sizes_{};
  std::int64_t size_ = 1;
  int rank_ = 0;
};

/// As Python prints a tuple: `()`, `(3,)`, `(32, 64)`.
std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace lintel
