// The header of a safetensors file: a JSON object that tells each tensor's type, shape and place in the data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <lintel/core/dtype.hpp>
#include <lintel/core/shape.hpp>

namespace lintel::nn {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  std::int64_t begin = 0, end = 0;  ///< bytes, from the end of the header
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads a header whose file holds `data_bytes` bytes of data. Throws an `Error` unless the tensors, each of the size
/// its type and shape tell, cover the data without overlap or hole.
SafetensorsHeader parse_safetensors_header(std::string_view text, std::int64_t data_bytes);

/// The text of a header, padded with spaces to a multiple of eight bytes so that the data after it is aligned.
std::string format_safetensors_header(const SafetensorsHeader& header);

/// Bytes of a tensor; throws an `Error` when they overflow 64 bits.
std::int64_t safetensors_bytes(const Shape& shape, DType dtype);

}  // namespace lintel::nn
