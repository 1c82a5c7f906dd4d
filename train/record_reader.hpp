// Splits a stream of text into records of fields.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <lintel/train/text_source.hpp>
#include <lintel/train/text_table.hpp>

namespace lintel::train {

/// Reads a table record by record: the part of `read_text_table` that knows about separators and quotes.
class RecordReader {
 public:
  RecordReader(const std::filesystem::path& path, TableFormat format, bool utf8);

  /// Reads the next record into `fields`; false at the end. Throws `Error` for a broken quote and, if asked to look,
  /// for text that is not UTF-8.
  bool next(std::vector<std::string>& fields);

  /// The line on which the last record begins, counted from 1; 0 before the first.
  std::int64_t line() const { return line_; }
  /// How messages call the file.
  const std::string& name() const { return source_.name(); }

 private:
  bool next_line();
  void split_tabs(std::vector<std::string>& fields) const;
  void split_commas(std::vector<std::string>& fields);
  std::size_t read_quoted(std::size_t place, std::string& field);
  [[noreturn]] void fail_at(std::int64_t line, const std::string& what) const;

  TextSource source_;
  TableFormat format_;
  bool utf8_;
  std::string text_;             // the record as it stands in the file, without its line end
  std::int64_t line_ = 0;        // where the record begins
  std::int64_t lines_read_ = 0;  // more than `line_` where a quoted field holds newlines
};

}  // namespace lintel::train
