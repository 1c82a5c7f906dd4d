#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>

#include <lintel/core/atomic_file.hpp>
#include <lintel/core/utf8.hpp>
#include <lintel/nn/json_scanner.hpp>
#include <lintel/nn/safetensors.hpp>
#include <lintel/nn/safetensors_header.hpp>

namespace lintel {
namespace safetensors_detail {

static_assert(std::endian::native == std::endian::little, "safetensors files hold little-endian elements");

constexpr std::int64_t length_bytes = 8;
constexpr std::int64_t longest_header = 100'000'000;  // the format's own limit

/// A file that is read from front to back.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error) fail("cannot open: ", error.message());
    stream_.open(path, std::ios::binary);
    if (!stream_) fail("cannot open: ", std::generic_category().message(errno));
    left_ = static_cast<std::int64_t>(size);
  }

  std::int64_t left() const { return left_; }

  void read(void* target, std::int64_t bytes) {
    stream_.read(static_cast<char*>(target), bytes);
    if (!stream_) fail("cannot read ", bytes, " bytes, of ", left_, " that are left");
    left_ -= bytes;
  }

 private:
  std::ifstream stream_;
  std::int64_t left_ = 0;
};

std::string read_header_text(InputFile& file) {
  if (file.left() < length_bytes) fail("has ", file.left(), " bytes, a header length of 8 bytes wanted");
  std::uint64_t length = 0;
  file.read(&length, length_bytes);
  if (length > static_cast<std::uint64_t>(longest_header)) {
    fail("tells a header of ", length, " bytes, at most ", longest_header, " wanted");
  }
  if (static_cast<std::int64_t>(length) > file.left()) {
    fail("tells a header of ", length, " bytes, but only ", file.left(), " follow");
  }
  std::string text(length, '\0');
  file.read(text.data(), static_cast<std::int64_t>(length));
  return text;
}

/// Any byte may stand in a file, but a C++ bool that is neither 0 nor 1 is undefined behaviour.
void check_booleans(const unsigned char* bytes, std::int64_t count) {
  const auto* const wrong = std::find_if(bytes, bytes + count, [](unsigned char byte) { return byte > 1; });
  if (wrong != bytes + count) fail("holds the byte ", int{*wrong}, " as a BOOL, 0 or 1 wanted");
}

Tensor read_tensor(InputFile& file, const nn::SafetensorsEntry& entry) {
  Tensor tensor = empty(entry.shape, entry.dtype);
  void* const elements = write_bytes(tensor, entry.dtype, "read_safetensors");
  file.read(elements, entry.end - entry.begin);
  if (entry.dtype == DType::boolean) check_booleans(static_cast<const unsigned char*>(elements), tensor.size());
  return tensor;
}

Safetensors read(const std::filesystem::path& path) {
  InputFile file(path);
  const std::string text = read_header_text(file);
  nn::SafetensorsHeader header = nn::parse_safetensors_header(text, file.left());
  Safetensors result{.tensors = std::vector<NamedTensor>(header.tensors.size()),
                     .metadata = std::move(header.metadata)};
  std::vector<std::size_t> by_place(header.tensors.size());
  for (std::size_t i = 0; i < by_place.size(); ++i) by_place[i] = i;
  std::sort(by_place.begin(), by_place.end(), [&](std::size_t a, std::size_t b) {
    const nn::SafetensorsEntry &left = header.tensors[a], &right = header.tensors[b];
    return left.begin != right.begin ? left.begin < right.begin : left.end < right.end;
  });
  for (const std::size_t i : by_place) {
    const nn::SafetensorsEntry& entry = header.tensors[i];
    try {
      result.tensors[i] = {entry.name, read_tensor(file, entry)};
    } catch (const Error& error) {
      fail("tensor ", nn::quote_briefly(entry.name), ": ", error.what());
    }
  }
  return result;
}

void check_names(const std::vector<NamedTensor>& tensors, const Metadata& metadata) {
  std::set<std::string_view> seen;
  for (const auto& [name, tensor] : tensors) {
    if (find_utf8_defect(name)) fail("a tensor's name is not UTF-8");
    const std::string quoted = nn::quote_briefly(name);
    if (name == "__metadata__") fail("no tensor may be called ", quoted);
    if (!seen.insert(name).second) fail("two tensors are called ", quoted);
    if (!tensor.defined()) fail("tensor ", quoted, " is undefined");
  }
  for (const auto& [key, value] : metadata) {
    if (find_utf8_defect(key) || find_utf8_defect(value)) fail("the metadata is not UTF-8");
  }
}

/// Readers that map the file want every element aligned: wide ones first does that without gaps.
std::vector<NamedTensor> wide_first(const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> sorted;
  for (const std::size_t size : {8, 4, 2, 1}) {
    std::copy_if(tensors.begin(), tensors.end(), std::back_inserter(sorted),
                 [=](const NamedTensor& each) { return dtype_size(each.tensor.dtype()) == size; });
  }
  return sorted;
}

void write(const std::filesystem::path& path, const std::vector<NamedTensor>& given, const Metadata& metadata) {
  const std::vector<NamedTensor> tensors = wide_first(given);
  nn::SafetensorsHeader header{.tensors = {}, .metadata = metadata};
  std::int64_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::int64_t begin = end;
    end += static_cast<std::int64_t>(tensor.bytes());
    header.tensors.push_back({name, tensor.dtype(), tensor.shape(), begin, end});
  }
  const std::string text = nn::format_safetensors_header(header);
  const auto length = std::bit_cast<std::array<char, length_bytes>>(static_cast<std::uint64_t>(text.size()));
  AtomicFile file(path);
  file.write({length.data(), length.size()});
  file.write(text);
  for (const auto& [name, tensor] : tensors) {
    file.write({static_cast<const char*>(view(tensor).data), tensor.bytes()});
  }
  file.commit();
}

/// Joins what is wrong with a set of names to one sentence of bounded length.
class Complaints {
 public:
  void add(const std::string& complaint) {
    if (++count_ <= 3) text_ += (text_.empty() ? "" : "; ") + complaint;
  }
  bool empty() const { return count_ == 0; }
  std::string text() const { return count_ <= 3 ? text_ : text_ + "; and " + std::to_string(count_ - 3) + " more"; }

 private:
  std::string text_;
  std::int64_t count_ = 0;
};

}  // namespace safetensors_detail

Safetensors read_safetensors(const std::filesystem::path& path) {
  try {
    return safetensors_detail::read(path);
  } catch (const Error& error) {
    fail("safetensors: ", path.string(), ": ", error.what());
  }
}

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const Metadata& metadata) {
  try {
    safetensors_detail::check_names(tensors, metadata);
  } catch (const Error& error) {
    fail("safetensors: ", path.string(), ": ", error.what());
  }
  safetensors_detail::write(path, tensors, metadata);
}

void copy_by_name(const std::vector<NamedTensor>& source, const std::vector<NamedTensor>& target,
                  const std::string& what) {
  std::map<std::string_view, const Tensor*> given;
  for (const auto& [name, tensor] : source) given[name] = &tensor;
  safetensors_detail::Complaints complaints;
  for (const auto& [name, tensor] : target) {
    const auto found = given.find(name);
    if (found == given.end()) {
      complaints.add("missing " + nn::quote_briefly(name));
    } else if (found->second->shape() != tensor.shape() || found->second->dtype() != tensor.dtype()) {
      std::ostringstream complaint;
      complaint << nn::quote_briefly(name) << " is " << found->second->dtype() << " " << found->second->shape() << ", "
                << tensor.dtype() << " " << tensor.shape() << " wanted";
      complaints.add(complaint.str());
    }
  }
  std::set<std::string_view> wanted;
  for (const auto& [name, tensor] : target) wanted.insert(name);
  for (const auto& [name, tensor] : source) {
    if (!wanted.contains(name)) complaints.add("unexpected " + nn::quote_briefly(name));
  }
  if (!complaints.empty()) fail(what, " does not fit: ", complaints.text());
  for (const auto& [name, tensor] : target) copy_into(tensor, *given[name], "load");
}

}  // namespace lintel
