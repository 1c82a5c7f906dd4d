// Reading the small JSON files of a run's folder, each of which says what it is.
#pragma once

#include <filesystem>
#include <string>

#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>
#include <nlohmann/json.hpp>

namespace lintel::train {

/// Reads the JSON object at `path`, whose "format" must be `format` and whose "version" must be 1, and returns
/// `take(object)`. Throws `Error` that names the file if it cannot be read, is something else, or `take` throws an
/// `Error` or an exception of the JSON library.
template <class Take>
auto read_json_document(const std::filesystem::path& path, const std::string& format, const Take& take) {
  const std::string text = read_file(path);
  try {
    const auto document = nlohmann::json::parse(text);
    if (document.at("format") != format) fail("its format is ", document.at("format"));
    if (document.at("version") != 1) fail("its version is ", document.at("version"), ", this program reads 1");
    return take(document);
  } catch (const nlohmann::json::exception& error) {
    fail("read: ", path.string(), " is not a file of the format \"", format, "\": ", error.what());
  } catch (const Error& error) {
    fail("read: ", path.string(), " is not a file of the format \"", format, "\": ", error.what());
  }
}

}  // namespace lintel::train
