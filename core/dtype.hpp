// The element types of a tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include <lintel/core/error.hpp>

namespace lintel {

/// What a tensor's elements are. float32 works, float64 checks, int64 indexes, boolean masks, bfloat16 stores.
enum class DType { float32, float64, int64, boolean, bfloat16 };

/// The upper half of a float32: 8 bits of exponent, 8 significant bits. A storage format; g++ 12 has no native type.
struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  /// Rounds to nearest, ties to even; NaN stays NaN.
  explicit bfloat16(float value);
  explicit operator float() const;
  bool operator==(const bfloat16&) const = default;
};

/// "float32", "float64", "int64", "bool" or "bfloat16".
const char* dtype_name(DType dtype);

/// Bytes of one element.
std::size_t dtype_size(DType dtype);

/// Whether derivatives exist for this type.
bool is_floating(DType dtype);

std::ostream& operator<<(std::ostream& out, DType dtype);

/// The `DType` of the C++ type `T`.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) {
    return DType::float32;
  } else if constexpr (std::is_same_v<T, double>) {
    return DType::float64;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return DType::int64;
  } else if constexpr (std::is_same_v<T, bool>) {
    return DType::boolean;
  } else {
    static_assert(std::is_same_v<T, bfloat16>, "a tensor holds float, double, std::int64_t, bool or bfloat16");
    return DType::bfloat16;
  }
}

/// Calls `body.template operator()<T>()` with the C++ type of `dtype`.
template <class Body>
decltype(auto) with_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::float32:
      return body.template operator()<float>();
    case DType::float64:
      return body.template operator()<double>();
    case DType::int64:
      return body.template operator()<std::int64_t>();
    case DType::boolean:
      return body.template operator()<bool>();
    case DType::bfloat16:
      break;
  }
  return body.template operator()<bfloat16>();
}

/// Calls `body.template operator()<T>()` for float32 or float64; for another type throws an `Error` that names `op`.
template <class Body>
decltype(auto) with_float_type(const char* op, DType dtype, Body&& body) {
  if (dtype == DType::float64) return body.template operator()<double>();
  if (dtype != DType::float32) fail(op, ": works on float32 or float64, got ", dtype, "; cast with to(x, dtype)");
  return body.template operator()<float>();
}

}  // namespace lintel
