// Labelled texts from TSV, CSV and plain text files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lintel::train {

/// How lines become fields.
enum class TableFormat {
  tsv,    ///< fields separated by tabs; a quote is a character like any other
  csv,    ///< RFC 4180: fields separated by commas; a quoted field may hold commas, newlines and doubled quotes
  lines,  ///< each line is one field, whatever it contains
};

/// The format that the name of a file implies, `.gz` aside: `csv` for `.csv`, `lines` for `.txt`, else `tsv`.
TableFormat table_format_of(const std::filesystem::path& path);

/// The format called `name` ("tsv", "csv" or "lines"). Throws `Error` for any other name.
TableFormat table_format_named(const std::string& name);

/// Where to find what in a table. A column is a number, counted from 1, or a name of the header; empty means none.
struct TableOptions {
  std::string text_column = "1";
  std::string label_column = "";
  std::string second_text_column = "";
  bool header = false;                     ///< the first row names the columns
  std::optional<TableFormat> format = {};  ///< by default what the name of the file implies
  bool utf8 = true;                        ///< text must be UTF-8
};

/// One row; a column that was not asked for is empty.
struct TextRow {
  std::string text;
  std::string label;
  std::string second_text;
  std::int64_t line = 0;  ///< the line of the file on which the row begins, counted from 1
};

/// Reads a plain or gzip table, or standard input for the path `-`. Lines may end in `\r\n`, a byte order mark at the
/// start is skipped, the last line may lack its newline, and in a table of more than one column empty lines are
/// skipped. Throws `Error`, naming file and line, for a file that is empty or has no row after its header, a column
/// that is not there, a row that is not as wide as the first one, a broken quote, and text that is not UTF-8 where it
/// must be.
std::vector<TextRow> read_text_table(const std::filesystem::path& path, const TableOptions& options = {});

}  // namespace lintel::train
