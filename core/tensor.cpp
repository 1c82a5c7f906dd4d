#include <atomic>
#include <cstring>
#include <limits>
#include <lintel/core/memory.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/core/tensor.hpp>
#include <new>

namespace lintel {

namespace detail {

/// A buffer and what all handles to it share.
struct Storage {
  Storage(std::size_t size, std::pmr::memory_resource& from)
      : resource(from), bytes(size), data(static_cast<std::byte*>(from.allocate(size, buffer_alignment))) {}
  ~Storage() { resource.deallocate(data, bytes, buffer_alignment); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::pmr::memory_resource& resource;
  std::size_t bytes;
  std::byte* data;
  std::atomic<std::uint64_t> version = 0;
  std::atomic<const char*> last_writer = "nobody";
};

}  // namespace detail

namespace tensor_detail {

std::uint64_t next_identity() {
  static std::atomic<std::uint64_t> counter = 0;
  return ++counter;
}

constexpr std::int64_t block = 1 << 15;  // elements of one parallel task of a memory-bound loop

/// Calls `store(i, first, words)` so that element i depends on (key, i) only.
template <class T, class Draw>
Tensor random_tensor(const Shape& shape, Rng& rng, DType dtype, const char* name, Draw draw) {
  Tensor result = empty(shape, dtype);
  T* elements = write<T>(result, name);
  const std::uint64_t key = rng.next();
  parallel_blocks(shape.size(), block, 60, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Rng element(derive_key(key, static_cast<std::uint64_t>(i)));
      elements[i] = static_cast<T>(draw(element));
    }
  });
  return result;
}

template <class From, class To>
To convert_element(From value) {
  if constexpr (std::is_same_v<From, To>) {
    return value;
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return convert_element<float, To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
    // Outside the range the language leaves the result undefined; NaN and overflow become the smallest integer.
    const bool fits = value >= From(-9.2233720368547758e18) && value < From(9.2233720368547758e18);
    return fits ? static_cast<To>(value) : std::numeric_limits<To>::min();
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace tensor_detail

std::size_t Tensor::bytes() const { return defined() ? static_cast<std::size_t>(size()) * dtype_size(dtype_) : 0; }

const void* Tensor::checked_data(DType dtype) const {
  if (!defined()) fail("tensor: undefined, a tensor with elements wanted");
  if (dtype != dtype_) fail("tensor: holds ", dtype_, ", read as ", dtype);
  return first_;
}

double Tensor::item() const {
  if (!defined()) fail("item: the tensor is undefined");
  if (size() != 1) fail("item: shape ", shape_, " holds ", size(), " elements, exactly 1 wanted");
  return with_type(dtype_, [&]<class T>() {
    return tensor_detail::convert_element<T, double>(*static_cast<const T*>(checked_data(dtype_)));
  });
}

std::uint64_t Tensor::version() const { return storage_ ? storage_->version.load(std::memory_order_relaxed) : 0; }

const char* Tensor::last_writer() const { return storage_ ? storage_->last_writer.load() : "nobody"; }

Tensor empty(const Shape& shape, DType dtype) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(shape.size()), dtype_size(dtype), &bytes)) {
    fail("tensor: shape ", shape, " of ", dtype, " overflows the address space");
  }
  Tensor result;
  try {
    result.storage_ = std::make_shared<detail::Storage>(bytes, tensor_memory());
  } catch (const std::bad_alloc&) {
    fail("tensor: no memory for ", bytes, " bytes of shape ", shape);
  }
  result.first_ = result.storage_->data;
  result.shape_ = shape;
  result.dtype_ = dtype;
  result.id_ = tensor_detail::next_identity();
  return result;
}

Tensor share_buffer(const Tensor& x, const Shape& shape, std::int64_t first_element) {
  if (!x.defined()) fail("share_buffer: the tensor is undefined");
  if (first_element < 0 || shape.size() > x.size() - first_element) {
    fail("share_buffer: shape ", shape, " from element ", first_element, " reaches beyond shape ", x.shape());
  }
  Tensor result = x;
  result.first_ += static_cast<std::size_t>(first_element) * dtype_size(x.dtype_);
  result.shape_ = shape;
  result.id_ = tensor_detail::next_identity();
  return result;
}

void* write_bytes(const Tensor& x, DType dtype, const char* writer) {
  if (!x.defined()) fail(writer, ": cannot write into an undefined tensor");
  if (x.dtype_ != dtype) fail(writer, ": tensor holds ", x.dtype_, ", written as ", dtype);
  x.storage_->last_writer.store(writer, std::memory_order_relaxed);
  x.storage_->version.fetch_add(1, std::memory_order_relaxed);
  return x.first_;
}

Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }

Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor full(const Shape& shape, double value, DType dtype) {
  Tensor result = empty(shape, dtype);
  with_type(dtype, [&]<class T>() {
    T* elements = write<T>(result, "full");
    const T element = tensor_detail::convert_element<double, T>(value);
    parallel_blocks(shape.size(), tensor_detail::block, 0.5, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) elements[i] = element;
    });
  });
  return result;
}

Tensor scalar(double value, DType dtype) { return full(Shape{}, value, dtype); }

Tensor arange(std::int64_t first, std::int64_t last, DType dtype) {
  if (last < first) fail("arange: ends at ", last, " before it begins at ", first);
  Tensor result = empty({last - first}, dtype);
  with_type(dtype, [&]<class T>() {
    T* elements = write<T>(result, "arange");
    for (std::int64_t i = 0; i < last - first; ++i) {
      elements[i] = tensor_detail::convert_element<std::int64_t, T>(first + i);
    }
  });
  return result;
}

Tensor uniform(const Shape& shape, double low, double high, Rng& rng, DType dtype) {
  return with_float_type("uniform", dtype, [&]<class T>() {
    return tensor_detail::random_tensor<T>(shape, rng, dtype, "uniform",
                                           [=](Rng& element) { return low + (high - low) * element.uniform(); });
  });
}

Tensor normal(const Shape& shape, double mean, double standard_deviation, Rng& rng, DType dtype) {
  return with_float_type("normal", dtype, [&]<class T>() {
    return tensor_detail::random_tensor<T>(shape, rng, dtype, "normal",
                                           [=](Rng& element) { return mean + standard_deviation * element.normal(); });
  });
}

Tensor clone(const Tensor& x) {
  Tensor result = empty(x.shape(), x.dtype());
  copy_into(result, x, "clone");
  return result;
}

Tensor convert(const Tensor& x, DType dtype) {
  Tensor result = empty(x.shape(), dtype);
  with_type(x.dtype(), [&]<class From>() {
    with_type(dtype, [&]<class To>() {
      const From* source = x.data<From>();
      To* target = write<To>(result, "convert");
      parallel_blocks(x.size(), tensor_detail::block, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) target[i] = tensor_detail::convert_element<From, To>(source[i]);
      });
    });
  });
  return result;
}

void copy_into(const Tensor& target, const Tensor& source, const char* writer) {
  if (target.shape() != source.shape() || target.dtype() != source.dtype()) {
    fail(writer, ": cannot copy ", source.dtype(), " ", source.shape(), " into ", target.dtype(), " ", target.shape());
  }
  with_type(target.dtype(), [&]<class T>() {
    T* to = write<T>(target, writer);
    const T* from = source.data<T>();
    parallel_blocks(target.size(), tensor_detail::block, 0.5, [&](std::int64_t begin, std::int64_t end) {
      std::memmove(to + begin, from + begin, static_cast<std::size_t>(end - begin) * sizeof(T));
    });
  });
}

TensorView view(const Tensor& x) {
  return with_type(x.dtype(), [&]<class T>() { return TensorView{x.data<T>(), x.shape(), x.dtype()}; });
}

}  // namespace lintel
