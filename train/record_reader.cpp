#include <algorithm>
#include <lintel/core/error.hpp>
#include <lintel/train/record_reader.hpp>

namespace lintel::train {

RecordReader::RecordReader(const std::filesystem::path& path, TableFormat format, bool utf8)
    : source_(path), format_(format), utf8_(utf8) {}

void RecordReader::fail_at(std::int64_t line, const std::string& what) const {
  fail("read: ", source_.name(), ": line ", line, ": ", what);
}

// Inside a quoted field too, a line end is read as `\n`, whether the file writes `\n` or `\r\n`.
bool RecordReader::next_line() {
  if (!source_.next_line(text_)) return false;
  ++lines_read_;
  if (text_.ends_with('\r')) text_.pop_back();
  if (utf8_) require_utf8(text_, source_.name(), lines_read_);
  return true;
}

bool RecordReader::next(std::vector<std::string>& fields) {
  fields.clear();
  if (!next_line()) return false;
  line_ = lines_read_;
  if (format_ == TableFormat::lines) fields.push_back(text_);
  if (format_ == TableFormat::tsv) split_tabs(fields);
  if (format_ == TableFormat::csv) split_commas(fields);
  return true;
}

void RecordReader::split_tabs(std::vector<std::string>& fields) const {
  std::size_t begin = 0;
  for (std::size_t tab = text_.find('\t'); tab != std::string::npos; tab = text_.find('\t', begin)) {
    fields.push_back(text_.substr(begin, tab - begin));
    begin = tab + 1;
  }
  fields.push_back(text_.substr(begin));
}

void RecordReader::split_commas(std::vector<std::string>& fields) {
  for (std::size_t place = 0;; ++place) {
    std::string field;
    if (place < text_.size() && text_[place] == '"') {
      place = read_quoted(place + 1, field);
      if (place < text_.size() && text_[place] != ',') fail_at(lines_read_, "a closing quote is followed by text");
    } else {
      const std::size_t comma = std::min(text_.find(',', place), text_.size());
      field = text_.substr(place, comma - place);
      if (field.find('"') != std::string::npos) fail_at(lines_read_, "a quote inside a field that is not quoted");
      place = comma;
    }
    fields.push_back(std::move(field));
    if (place >= text_.size()) return;
  }
}

// Reads a quoted field from the first character after its opening quote, over as many lines as it takes; `text_` then
// holds the last of them. Returns the place after the closing quote.
std::size_t RecordReader::read_quoted(std::size_t place, std::string& field) {
  const std::int64_t opened_on = lines_read_;
  while (true) {
    const std::size_t quote = text_.find('"', place);
    if (quote != std::string::npos) {
      field.append(text_, place, quote - place);
      if (quote + 1 == text_.size() || text_[quote + 1] != '"') return quote + 1;
      field += '"';
      place = quote + 2;
    } else {
      field.append(text_, place);
      field += '\n';
      place = 0;
      if (!next_line()) fail_at(opened_on, "the quote that opens here is never closed");
    }
  }
}

}  // namespace lintel::train
