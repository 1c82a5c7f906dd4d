#include <bit>
#include <lintel/core/dtype.hpp>

namespace lintel {

bfloat16::bfloat16(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  const bool is_nan = (word & 0x7fffffffu) > 0x7f800000u;
  // A NaN whose payload sits in the lower half would round to infinity: set a high payload bit instead.
  const std::uint32_t rounded = is_nan ? (word | 0x00400000u) : word + 0x7fffu + ((word >> 16) & 1u);
  bits = static_cast<std::uint16_t>(rounded >> 16);
}

bfloat16::operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::int64:
      return "int64";
    case DType::boolean:
      return "bool";
    case DType::bfloat16:
      break;
  }
  return "bfloat16";
}

std::size_t dtype_size(DType dtype) {
  return with_type(dtype, []<class T>() { return sizeof(T); });
}

bool is_floating(DType dtype) { return dtype != DType::int64 && dtype != DType::boolean; }

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << dtype_name(dtype); }

}  // namespace lintel
