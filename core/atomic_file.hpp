// Files that are complete or not there at all, and the plain reading and folder making that go with them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lintel {

/// A file that appears at its path only when it is complete. Bytes go to a temporary file in the same folder; `commit`
/// flushes it to the disk, renames it onto the path and flushes the folder, so that after a crash or on a full disk the
/// path holds either the old file or the whole new one. Without a `commit` the destructor removes the temporary file.
/// Every failure throws `Error` with the path and the system's reason.
class AtomicFile {
 public:
  /// Opens the temporary file. The folder of `path` must exist.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends `bytes`; small pieces are gathered before they reach the system.
  void write(std::string_view bytes);

  /// Puts the file in its place. Nothing may be written afterwards.
  void commit();

 private:
  void flush();
  void close_temporary();
  [[noreturn]] void fail_with(int error_number) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::string pending_;
  int descriptor_ = -1;
};

/// Writes `bytes` to `path` through an `AtomicFile`: the old file stays untouched unless everything succeeds.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// The bytes of the file at `path`, as they are. Throws `Error` if it is missing, unreadable or a folder.
std::string read_file(const std::filesystem::path& path);

/// Creates `folder` and the folders above it where they are missing. Throws `Error`; if something on the way is a
/// regular file, the sentence names it.
void make_folders(const std::filesystem::path& folder);

}  // namespace lintel
