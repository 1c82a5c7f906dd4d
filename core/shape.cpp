#include <algorithm>
#include <lintel/core/error.hpp>
#include <lintel/core/shape.hpp>

namespace lintel {

Shape::Shape(std::initializer_list<std::int64_t> sizes)
    : Shape(std::span<const std::int64_t>(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) {
  if (sizes.size() > max_rank) fail("shape: ", sizes.size(), " axes given, at most ", max_rank, " wanted");
  rank_ = static_cast<int>(sizes.size());
  std::int64_t product_of_nonzero = 1;  // a later 0 must not hide an overflow of the strides before it
  for (int axis = 0; axis < rank_; ++axis) {
    const std::int64_t size = sizes[static_cast<std::size_t>(axis)];
    if (size < 0) fail("shape: axis ", axis, " has size ", size, ", a size of at least 0 wanted");
    sizes_[static_cast<std::size_t>(axis)] = size;
    if (size != 0 && __builtin_mul_overflow(product_of_nonzero, size, &product_of_nonzero)) {
      fail("shape: the number of elements overflows 64 bits at axis ", axis, " of size ", size);
    }
    size_ = size == 0 ? 0 : size_ * size;
  }
}

int Shape::resolve(const char* op, int axis) const {
  if (axis < -rank_ || axis >= rank_) fail(op, ": axis ", axis, " is out of range for shape ", *this);
  return axis < 0 ? axis + rank_ : axis;
}

Shape Shape::with(int axis, std::int64_t size) const {
  std::array<std::int64_t, max_rank> sizes = sizes_;
  sizes[static_cast<std::size_t>(resolve("shape", axis))] = size;
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank_)));
}

bool Shape::operator==(const Shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (int axis = 0; axis < shape.rank(); ++axis) out << (axis ? ", " : "") << shape[axis];
  return out << (shape.rank() == 1 ? ",)" : ")");
}

}  // namespace lintel
