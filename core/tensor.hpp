// The tensor: a value that names a contiguous, row-major buffer with a shape, a type and an identity.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <vector>

#include <lintel/core/dtype.hpp>
#include <lintel/core/random.hpp>
#include <lintel/core/shape.hpp>

namespace lintel {

namespace detail {
struct Storage;
}

/// A handle to a shared buffer. Copying a handle shares the buffer and keeps the identity; every result of an operation
/// has a new identity. There are no strides: elements are contiguous, the last axis fastest. A tensor knows nothing of
/// derivatives; tapes refer to it by `id()`.
class Tensor {
 public:
  /// No tensor: `defined()` is false and everything else throws.
  Tensor() = default;

  /// A new buffer with a copy of `values`, in row-major order. Throws `Error` when their number is not `shape.size()`.
  template <class T>
  Tensor(const Shape& shape, const std::vector<T>& values);
  template <class T>
  Tensor(const Shape& shape, std::initializer_list<T> values) : Tensor(shape, std::vector<T>(values)) {}

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  std::int64_t size() const { return shape_.size(); }
  /// The size of one axis; negative counts from the end.
  std::int64_t size(int axis) const { return shape_[axis]; }
  DType dtype() const { return dtype_; }
  /// Bytes of all elements.
  std::size_t bytes() const;
  /// The identity: a counter, never reused, never an address. 0 for an undefined tensor.
  std::uint64_t id() const { return id_; }

  /// The elements, to read. Throws `Error` when the tensor is undefined or `T` is not its element type.
  template <class T>
  const T* data() const {
    return static_cast<const T*>(checked_data(dtype_of<T>()));
  }
  template <class T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<std::size_t>(size())};
  }
  /// The only element of a tensor of size 1, whatever its type. Throws `Error` for another size.
  double item() const;

  /// How often the buffer was written; shared by all handles to it. A tape compares it with what it saw when it saved.
  std::uint64_t version() const;
  /// Who wrote the buffer last, for error messages.
  const char* last_writer() const;
  /// Whether this handle is the only one to its buffer.
  bool owns_buffer_alone() const { return storage_.use_count() == 1; }
  bool shares_buffer_with(const Tensor& other) const { return defined() && storage_ == other.storage_; }
  /// An opaque value equal for all handles to one buffer (to count bytes once).
  const void* buffer() const { return storage_.get(); }

 private:
  friend Tensor empty(const Shape& shape, DType dtype);
  friend Tensor share_buffer(const Tensor& x, const Shape& shape, std::int64_t first_element);
  friend void* write_bytes(const Tensor& x, DType dtype, const char* writer);

  const void* checked_data(DType dtype) const;

  std::shared_ptr<detail::Storage> storage_;
  std::byte* first_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::float32;
  std::uint64_t id_ = 0;
};

/// A new tensor whose elements are not set yet.
Tensor empty(const Shape& shape, DType dtype = DType::float32);

/// A tensor of a new identity over the elements of `x` from `first_element` on. It is what `reshape` and `slice` are
/// made of; no tape sees it, so it belongs into the implementation of ops only.
Tensor share_buffer(const Tensor& x, const Shape& shape, std::int64_t first_element = 0);

/// The one door to a buffer's elements for writing: bumps its version and notes the `writer` (a string that lives for
/// ever). Only kernels that fill a result of their own, initialisers, optimisers, running statistics and generation
/// states come here. Throws `Error` when `T` is not the element type.
template <class T>
T* write(const Tensor& x, const char* writer) {
  return static_cast<T*>(write_bytes(x, dtype_of<T>(), writer));
}
void* write_bytes(const Tensor& x, DType dtype, const char* writer);

/// All elements 0.
Tensor zeros(const Shape& shape, DType dtype = DType::float32);
/// All elements 1.
Tensor ones(const Shape& shape, DType dtype = DType::float32);
/// All elements `value`, rounded to the type.
Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
/// A tensor of rank 0.
Tensor scalar(double value, DType dtype = DType::float32);
/// [first, first + 1, …, last − 1].
Tensor arange(std::int64_t first, std::int64_t last, DType dtype = DType::int64);
/// Independent uniform numbers in [low, high); element i depends on (rng, i) only.
Tensor uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype = DType::float32);
/// Independent normal numbers.
Tensor normal(const Shape& shape, double mean, double standard_deviation, Rng& rng, DType dtype = DType::float32);

/// A deep copy in a buffer of its own; no tape sees it.
Tensor clone(const Tensor& x);
/// The elements converted to `dtype` (rounded to nearest, floats to int64 truncated, bool = not zero); always a copy.
/// No tape sees it: the differentiable form is `to`.
Tensor convert(const Tensor& x, DType dtype);
/// Overwrites the elements of `target` with those of `source`; same shape and type wanted.
void copy_into(const Tensor& target, const Tensor& source, const char* writer);

/// As NumPy prints an array.
std::ostream& operator<<(std::ostream& out, const Tensor& x);

/// Raw access for code outside the library: elements without identity, which no op accepts.
struct TensorView {
  const void* data = nullptr;
  Shape shape;
  DType dtype = DType::float32;
};
/// A view of the elements of `x`, valid while a handle to its buffer lives.
TensorView view(const Tensor& x);

template <class T>
Tensor::Tensor(const Shape& shape, const std::vector<T>& values) : Tensor(empty(shape, dtype_of<T>())) {
  if (static_cast<std::int64_t>(values.size()) != shape.size()) {
    fail("tensor: shape ", shape, " wants ", shape.size(), " values, got ", values.size());
  }
  T* target = write<T>(*this, "Tensor");
  for (std::size_t i = 0; i < values.size(); ++i) target[i] = values[i];
}

}  // namespace lintel
