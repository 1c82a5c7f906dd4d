// Weights in files that other libraries read: https://huggingface.co/docs/safetensors.
// A file is 8 bytes of header length, a JSON header, and the elements of all tensors one after the other.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <lintel/nn/parameters.hpp>

namespace lintel {

using Metadata = std::map<std::string, std::string>;

struct Safetensors {
  std::vector<NamedTensor> tensors;  ///< in the order of the file's header
  Metadata metadata;
};

/// Reads a whole file. Throws an `Error` that says what is wrong with it: a missing or truncated file, a header that is
/// not the JSON it should be, types other than float32, float64, int64, bool and bfloat16, tensors that overlap, leave
/// holes or reach beyond the data. No more memory is taken than the file has bytes.
Safetensors read_safetensors(const std::filesystem::path& path);

/// Writes a file that appears at `path` only when it is complete. Tensors with wide elements come first, otherwise the
/// order is kept. Throws `Error` for two tensors of one name, text that is not UTF-8, or when the system cannot write.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                       const Metadata& metadata = {});

/// Copies each tensor of `source` into the tensor of `target` that has its name. Throws an `Error` that lists what is
/// missing, unexpected or of another type or shape, and then has changed nothing; `what` names the source in it.
void copy_by_name(const std::vector<NamedTensor>& source, const std::vector<NamedTensor>& target,
                  const std::string& what);

/// Writes the tensors of `module` (a model, an optimiser) under their names.
template <Module M>
void save(const M& module, const std::filesystem::path& path, const Metadata& metadata = {}) {
  write_safetensors(path, nn::named_parameters(module), metadata);
}

/// Sets the tensors of `module` from a file that holds exactly these names, types and shapes. Identities stay. Throws
/// as `read_safetensors` and `copy_by_name` do; after an error the module is unchanged.
template <Module M>
void load(M& module, const std::filesystem::path& path) {
  copy_by_name(read_safetensors(path).tensors, nn::named_parameters(module), "load: " + path.string());
}

}  // namespace lintel
