#include <algorithm>
#include <array>
#include <optional>

#include <lintel/nn/json_scanner.hpp>
#include <lintel/nn/safetensors_header.hpp>

namespace lintel::nn {
namespace safetensors_header_detail {

constexpr std::string_view metadata_key = "__metadata__";

struct DTypeName {
  DType dtype;
  std::string_view name;
};
constexpr std::array<DTypeName, 5> dtype_names = {{{DType::float32, "F32"},
                                                   {DType::float64, "F64"},
                                                   {DType::int64, "I64"},
                                                   {DType::boolean, "BOOL"},
                                                   {DType::bfloat16, "BF16"}}};

DType dtype_from_name(const std::string& name) {
  for (const DTypeName& row : dtype_names) {
    if (row.name == name) return row.dtype;
  }
  fail("dtype ", quote_briefly(name), " is not one of F32, F64, I64, BOOL, BF16");
}

std::string_view name_of_dtype(DType dtype) {
  const auto found =
      std::find_if(dtype_names.begin(), dtype_names.end(), [=](const DTypeName& row) { return row.dtype == dtype; });
  return found->name;
}

std::vector<std::int64_t> whole_numbers(JsonScanner& scanner, std::size_t limit) {
  std::vector<std::int64_t> numbers;
  scanner.array([&] {
    if (numbers.size() == limit) scanner.fail_here("more than " + std::to_string(limit) + " numbers in an array");
    numbers.push_back(scanner.whole_number());
  });
  return numbers;
}

SafetensorsEntry parse_entry(JsonScanner& scanner, const std::string& name) {
  std::optional<DType> dtype;
  std::optional<Shape> shape;
  std::vector<std::int64_t> offsets;
  scanner.object([&](const std::string& key) {
    if (key == "dtype") {
      dtype = dtype_from_name(scanner.string());
    } else if (key == "shape") {
      shape = Shape(whole_numbers(scanner, Shape::max_rank));
    } else if (key == "data_offsets") {
      offsets = whole_numbers(scanner, 2);
    } else {
      scanner.fail_here("unknown key " + quote_briefly(key) + ", dtype, shape or data_offsets wanted");
    }
  });
  if (!dtype || !shape || offsets.size() != 2) fail("dtype, shape and two data_offsets wanted, some are missing");
  return {name, *dtype, *shape, offsets[0], offsets[1]};
}

void check_extent(const SafetensorsEntry& entry, std::int64_t data_bytes) {
  if (entry.begin > entry.end || entry.end > data_bytes) {
    fail("lies from byte ", entry.begin, " to ", entry.end, " of ", data_bytes, " bytes of data");
  }
  const std::int64_t wanted = safetensors_bytes(entry.shape, entry.dtype);
  if (entry.end - entry.begin != wanted) {
    fail("has ", entry.end - entry.begin, " bytes, ", entry.dtype, " of shape ", entry.shape, " wants ", wanted);
  }
}

void check_coverage(const std::vector<SafetensorsEntry>& entries, std::int64_t data_bytes) {
  std::vector<const SafetensorsEntry*> by_place;
  for (const SafetensorsEntry& entry : entries) by_place.push_back(&entry);
  std::sort(by_place.begin(), by_place.end(), [](const SafetensorsEntry* a, const SafetensorsEntry* b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
  });
  std::int64_t covered = 0;
  for (const SafetensorsEntry* entry : by_place) {
    if (entry->begin < covered) fail("tensor ", quote_briefly(entry->name), " overlaps the one before it");
    if (entry->begin > covered) fail("bytes ", covered, " to ", entry->begin, " of the data belong to no tensor");
    covered = entry->end;
  }
  if (covered < data_bytes) fail("bytes ", covered, " to ", data_bytes, " of the data belong to no tensor");
}

std::string format_entry(const SafetensorsEntry& entry) {
  std::string sizes;
  for (const std::int64_t size : entry.shape) sizes += (sizes.empty() ? "" : ",") + std::to_string(size);
  return json_quote(entry.name) + ":{\"dtype\":\"" + std::string(name_of_dtype(entry.dtype)) + "\",\"shape\":[" +
         sizes + "],\"data_offsets\":[" + std::to_string(entry.begin) + "," + std::to_string(entry.end) + "]}";
}

}  // namespace safetensors_header_detail

SafetensorsHeader parse_safetensors_header(std::string_view text, std::int64_t data_bytes) {
  SafetensorsHeader header;
  JsonScanner scanner(text);
  scanner.object([&](const std::string& key) {
    if (key == safetensors_header_detail::metadata_key) {
      scanner.object([&](const std::string& name) { header.metadata[name] = scanner.string(); });
      return;
    }
    try {
      header.tensors.push_back(safetensors_header_detail::parse_entry(scanner, key));
      safetensors_header_detail::check_extent(header.tensors.back(), data_bytes);
    } catch (const Error& error) {
      fail("tensor ", quote_briefly(key), ": ", error.what());
    }
  });
  scanner.end();
  safetensors_header_detail::check_coverage(header.tensors, data_bytes);
  return header;
}

std::string format_safetensors_header(const SafetensorsHeader& header) {
  std::string text = "{";
  auto separate = [&] { text += text.size() > 1 ? "," : ""; };
  if (!header.metadata.empty()) {
    std::string members;
    for (const auto& [key, value] : header.metadata) {
      members += (members.empty() ? "" : ",") + json_quote(key) + ":" + json_quote(value);
    }
    text += json_quote(safetensors_header_detail::metadata_key) + ":{" + members + "}";
  }
  for (const SafetensorsEntry& entry : header.tensors) {
    separate();
    text += safetensors_header_detail::format_entry(entry);
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

std::int64_t safetensors_bytes(const Shape& shape, DType dtype) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.size(), static_cast<std::int64_t>(dtype_size(dtype)), &bytes)) {
    fail("shape ", shape, " of ", dtype, " overflows 64 bits");
  }
  return bytes;
}

}  // namespace lintel::nn
