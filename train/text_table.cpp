#include <algorithm>
#include <cctype>
#include <charconv>
#include <lintel/core/error.hpp>
#include <lintel/train/record_reader.hpp>
#include <lintel/train/text_table.hpp>

namespace lintel::train {
namespace {

using Fields = std::vector<std::string>;

constexpr std::size_t no_column = static_cast<std::size_t>(-1);

bool is_column_number(const std::string& column) {
  return std::all_of(column.begin(), column.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string quoted_list(const Fields& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "\"" : ", \"") + name + "\"";
  return list;
}

std::size_t numbered_column(const std::string& column, std::size_t width, const std::string& file) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(column.data(), column.data() + column.size(), number);
  if (error != std::errc() || number < 1 || number > width) {
    fail("read: ", file, ": there is no column ", column, ", the first row has ", width);
  }
  return number - 1;
}

std::size_t named_column(const std::string& column, const Fields& header, const std::string& file) {
  const auto found = std::find(header.begin(), header.end(), column);
  if (found == header.end()) fail("read: ", file, ": no column \"", column, "\" among ", quoted_list(header));
  if (std::find(found + 1, header.end(), column) != header.end()) {
    fail("read: ", file, ": more than one column is called \"", column, "\", give its number");
  }
  return static_cast<std::size_t>(found - header.begin());
}

// The index of a wanted column, from the first row of the table.
std::size_t find_column(const std::string& column, const Fields& first_row, bool header, const std::string& file) {
  if (column.empty()) return no_column;
  if (is_column_number(column)) return numbered_column(column, first_row.size(), file);
  if (!header) fail("read: ", file, ": column \"", column, "\" is a name, but the table is read without a header");
  return named_column(column, first_row, file);
}

struct TableColumns {
  std::size_t text, label, second_text, width;
};

TableColumns find_columns(const TableOptions& options, const Fields& first_row, const std::string& file) {
  auto find = [&](const std::string& column) { return find_column(column, first_row, options.header, file); };
  return {find(options.text_column), find(options.label_column), find(options.second_text_column), first_row.size()};
}

bool is_blank(const Fields& fields) { return fields.size() == 1 && fields[0].empty(); }

TextRow take_row(Fields& fields, const TableColumns& columns, const RecordReader& reader) {
  if (fields.size() != columns.width) {
    fail("read: ", reader.name(), ": line ", reader.line(), ": the number of columns is ", fields.size(),
         ", in the first row it is ", columns.width);
  }
  // Copies, because one column may be wanted twice.
  auto field = [&](std::size_t column) { return column == no_column ? std::string() : fields[column]; };
  return {field(columns.text), field(columns.label), field(columns.second_text), reader.line()};
}

}  // namespace

TableFormat table_format_of(const std::filesystem::path& path) {
  const auto inner = path.extension() == ".gz" ? path.stem() : path;
  if (inner.extension() == ".csv") return TableFormat::csv;
  return inner.extension() == ".txt" ? TableFormat::lines : TableFormat::tsv;
}

TableFormat table_format_named(const std::string& name) {
  if (name == "tsv") return TableFormat::tsv;
  if (name == "csv") return TableFormat::csv;
  if (name == "lines") return TableFormat::lines;
  fail("table format: \"", name, "\" is unknown, wanted tsv, csv or lines");
}

std::vector<TextRow> read_text_table(const std::filesystem::path& path, const TableOptions& options) {
  RecordReader reader(path, options.format.value_or(table_format_of(path)), options.utf8);
  Fields fields;
  if (!reader.next(fields)) fail("read: ", reader.name(), " is empty");
  const TableColumns columns = find_columns(options, fields, reader.name());

  std::vector<TextRow> rows;
  if (!options.header) rows.push_back(take_row(fields, columns, reader));
  while (reader.next(fields)) {
    if (columns.width > 1 && is_blank(fields)) continue;
    rows.push_back(take_row(fields, columns, reader));
  }
  if (rows.empty()) fail("read: ", reader.name(), " has no row after its header");
  return rows;
}

}  // namespace lintel::train
