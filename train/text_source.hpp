// Text of a file, plain or gzip, as a stream of bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace lintel::train {

/// Reads a plain or gzip file (told apart by content), or standard input for the path `-`. A byte order mark at the
/// start is skipped. Throws `Error` if the file is missing or a folder, if it is called `.gz` and is not gzip, and
/// where the compressed data is corrupt or ends early.
class TextSource {
 public:
  explicit TextSource(const std::filesystem::path& path);
  ~TextSource();
  TextSource(const TextSource&) = delete;
  TextSource& operator=(const TextSource&) = delete;

  /// Reads up to and with the next `\n` into `line` and cuts that `\n` off; false at the end. A last line without `\n`
  /// counts as a line. A `\r` before the `\n` is left for the caller, who knows whether it is content.
  bool next_line(std::string& line);

  /// All that is left.
  std::string rest();

  /// How messages call the file.
  const std::string& name() const { return name_; }

 private:
  bool fill();

  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::string name_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

/// The whole text of a plain or gzip file. Throws `Error` if it cannot be read, is empty, or is not UTF-8; the last
/// sentence names the line.
std::string read_text(const std::filesystem::path& path);

/// Throws `Error` unless `text`, which is line `line` of the file `name` or begins on it, is UTF-8.
void require_utf8(std::string_view text, const std::string& name, std::int64_t line);

}  // namespace lintel::train
