// What tests of files share.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <lintel/core/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace lintel_test {

/// A folder of its own for a test, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static std::atomic<int> counter{0};
    path_ = std::filesystem::temp_directory_path() /
            ("lintel-test-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file of the folder, plainly, and returns its path.
  std::filesystem::path file(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }

  /// The names of all that is in the folder.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename());
    return names;
  }

 private:
  std::filesystem::path path_;
};

/// The bytes of a file, read without the code under test.
inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The sentence of the `Error` that `action` throws; fails the test if it throws none.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const lintel::Error& error) {
    return error.what();
  }
  FAIL("no Error was thrown");
  return {};
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// A file of the folder of test data that `LINTEL_TEST_DATA` names; empty, with a message, if it is not there.
inline std::filesystem::path test_data(const std::string& name) {
  const char* folder = std::getenv("LINTEL_TEST_DATA");
  const std::filesystem::path path = folder == nullptr ? "" : std::filesystem::path(folder) / name;
  if (!path.empty() && std::filesystem::exists(path)) return path;
  MESSAGE("SKIPPED: no " << name << " (LINTEL_TEST_DATA is " << std::string(folder == nullptr ? "not set" : folder)
                         << ")");
  return {};
}

}  // namespace lintel_test
