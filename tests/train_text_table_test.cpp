// Texts and tables from files, plain and compressed.
#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <lintel/train/text_source.hpp>
#include <lintel/train/text_table.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

const TableOptions text_then_label{.text_column = "1", .label_column = "2"};

std::string table_error(const std::filesystem::path& path, const TableOptions& options = text_then_label) {
  return error_of([&] { read_text_table(path, options); });
}

/// Writes `text` compressed to a file of the folder and returns its path.
std::filesystem::path gzip_file(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
  const auto path = folder.path() / name;
  const gzFile file = ::gzopen(path.c_str(), "wb");
  REQUIRE(::gzwrite(file, text.data(), static_cast<unsigned>(text.size())) == static_cast<int>(text.size()));
  REQUIRE(::gzclose(file) == Z_OK);
  return path;
}

/// Standard input reads from a file for the length of a test.
class StandardInput {
 public:
  explicit StandardInput(const std::filesystem::path& path) : before_(::dup(STDIN_FILENO)) {
    REQUIRE(std::freopen(path.c_str(), "rb", stdin) != nullptr);
  }
  ~StandardInput() {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }

 private:
  int before_;
};

/// Bytes that do not compress, so that a cut file lacks some of them.
std::string noisy_lines(int count) {
  std::string text;
  std::uint32_t state = 1;
  for (int i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    text += std::to_string(state) + "\t" + std::to_string(i) + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("a TSV table gives the wanted columns by number") {
  const TemporaryFolder folder;
  const auto path = folder.file("t.tsv", "a b\t1\tx\nc \"d\t2\ty\n");
  const auto rows = read_text_table(path, {.text_column = "1", .label_column = "2", .second_text_column = "3"});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].text == "a b");
  CHECK(rows[0].label == "1");
  CHECK(rows[0].second_text == "x");
  CHECK(rows[0].line == 1);
  CHECK(rows[1].text == "c \"d");  // a quote means nothing in TSV
  CHECK(rows[1].line == 2);
}

TEST_CASE("columns are found by the names of a header") {
  const TemporaryFolder folder;
  const auto path = folder.file("t.tsv", "Target\tSource\n7\t[MAX 7 1 ]\n");
  const auto rows = read_text_table(path, {.text_column = "Source", .label_column = "Target", .header = true});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].text == "[MAX 7 1 ]");
  CHECK(rows[0].label == "7");
  CHECK(rows[0].second_text.empty());
  CHECK(rows[0].line == 2);
  CHECK(read_text_table(path, {.text_column = "2", .header = true})[0].text == "[MAX 7 1 ]");
}

TEST_CASE("a CSV table has commas, quotes and newlines in quotes") {
  const TemporaryFolder folder;
  const auto path = folder.file("t.csv", "\"one, \"\"two\"\"\",1\n\"three\nfour\n\",2\n,\"\"\nfive,3");
  const auto rows = read_text_table(path, text_then_label);
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].text == "one, \"two\"");
  CHECK(rows[1].text == "three\nfour\n");
  CHECK(rows[1].label == "2");
  CHECK(rows[2].text.empty());
  CHECK(rows[2].label.empty());
  CHECK(rows[3].text == "five");
  CHECK(rows[3].line == 6);
}

TEST_CASE("a plain text file is one text a line") {
  const TemporaryFolder folder;
  const auto rows = read_text_table(folder.file("t.txt", "a\tb, \"c\n\nd\n"));
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].text == "a\tb, \"c");
  CHECK(rows[1].text.empty());
  CHECK(rows[2].text == "d");
}

TEST_CASE("the format follows the name of the file or the option") {
  CHECK(table_format_of("a/b.csv") == TableFormat::csv);
  CHECK(table_format_of("b.csv.gz") == TableFormat::csv);
  CHECK(table_format_of("b.tsv.gz") == TableFormat::tsv);
  CHECK(table_format_of("b.txt.gz") == TableFormat::lines);
  CHECK(table_format_of("-") == TableFormat::tsv);
  CHECK(table_format_named("csv") == TableFormat::csv);
  CHECK(contains(error_of([] { table_format_named("xls"); }), "\"xls\" is unknown, wanted tsv, csv or lines"));
  const TemporaryFolder folder;
  const auto path = folder.file("t.data", "\"a,b\",1\n");
  CHECK(read_text_table(path, {.label_column = "2", .format = TableFormat::csv})[0].text == "a,b");
}

TEST_CASE("line ends of both kinds, a byte order mark and a missing last newline are read alike") {
  const TemporaryFolder folder;
  for (const std::string text : {"a\t1\nb\t2\n", "a\t1\r\nb\t2\r\n",
                                 "\xEF\xBB\xBF"
                                 "a\t1\nb\t2",
                                 "a\t1\r\n\r\nb\t2\r\n\r\n"}) {
    const auto rows = read_text_table(folder.file("t.tsv", text), text_then_label);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].text == "a");
    CHECK(rows[0].label == "1");
    CHECK(rows[1].label == "2");
  }
}

TEST_CASE("a compressed table reads like the plain one, however long") {
  const TemporaryFolder folder;
  const std::string text = noisy_lines(20'000) + "Größe\t" + std::string(300'000, 'x') + "\n";
  const auto plain = read_text_table(folder.file("t.tsv", text), text_then_label);
  const auto packed = read_text_table(gzip_file(folder, "t.tsv.gz", text), text_then_label);
  REQUIRE(plain.size() == 20'001);
  REQUIRE(packed.size() == plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    REQUIRE(packed[i].text == plain[i].text);
    REQUIRE(packed[i].label == plain[i].label);
  }
  CHECK(plain[19'999].label == "19999");
  CHECK(plain[20'000].label.size() == 300'000);
  CHECK(read_text(folder.path() / "t.tsv.gz") == text);
}

TEST_CASE("the path - is standard input") {
  const TemporaryFolder folder;
  const StandardInput input(folder.file("t.tsv", "a\t1\nb\n"));
  CHECK(contains(table_error("-"), "read: standard input: line 2: the number of columns is 1"));
}

TEST_CASE("an empty file and one with nothing but a header are errors") {
  const TemporaryFolder folder;
  const auto empty = folder.file("t.tsv", "");
  CHECK(table_error(empty) == "read: " + empty.string() + " is empty");
  CHECK(contains(table_error(gzip_file(folder, "t.tsv.gz", "")), "t.tsv.gz is empty"));
  CHECK(contains(table_error(folder.file("t.tsv", "\xEF\xBB\xBF")), "t.tsv is empty"));
  CHECK(contains(table_error(folder.file("t.tsv", "text\tlabel\n"), {.header = true}), "has no row after its header"));
  CHECK(error_of([&] { read_text(folder.file("t.txt", "")); }) ==
        "read: " + (folder.path() / "t.txt").string() + " is empty");
}

TEST_CASE("a missing file and a folder are errors") {
  const TemporaryFolder folder;
  const auto missing = folder.path() / "missing.tsv";
  CHECK(table_error(missing) == "read: cannot open " + missing.string() + ": No such file or directory");
  CHECK(contains(table_error(folder.path()), "is a folder, not a file"));
}

TEST_CASE("a broken quote is an error that names its line") {
  const TemporaryFolder folder;
  auto csv_error = [&](const std::string& text) { return table_error(folder.file("t.csv", text)); };
  CHECK(csv_error("a,1\n\"b\nc,2\n") ==
        "read: " + (folder.path() / "t.csv").string() + ": line 2: the quote that opens here is never closed");
  CHECK(contains(csv_error("a,1\n\"b\" c,2\n"), "line 2: a closing quote is followed by text"));
  CHECK(contains(csv_error("a,1\n\"b\nc\"d,2\n"), "line 3: a closing quote is followed by text"));
  CHECK(contains(csv_error("a,1\nb\"c\",2\n"), "line 2: a quote inside a field that is not quoted"));
}

TEST_CASE("a row of another width is an error that names its line") {
  const TemporaryFolder folder;
  const auto path = folder.file("t.tsv", "a\t1\nb\nc\t3\n");
  CHECK(table_error(path) ==
        "read: " + path.string() + ": line 2: the number of columns is 1, in the first row it is 2");
  CHECK(contains(table_error(folder.file("t.tsv", "a\t1\n\nb\t2\tc\n")), "line 3: the number of columns is 3"));
}

TEST_CASE("a column that is not there is an error") {
  const TemporaryFolder folder;
  const auto path = folder.file("t.tsv", "text\tlabel\ttext\nb\t2\tc\n");
  const std::string file = "read: " + path.string() + ": ";
  CHECK(table_error(path, {.text_column = "4"}) == file + "there is no column 4, the first row has 3");
  CHECK(table_error(path, {.text_column = "0"}) == file + "there is no column 0, the first row has 3");
  CHECK(contains(table_error(path, {.text_column = "99999999999999999999"}), "there is no column 9999"));
  CHECK(table_error(path, {.text_column = "label"}) ==
        file + "column \"label\" is a name, but the table is read without a header");
  CHECK(table_error(path, {.text_column = "body", .header = true}) ==
        file + "no column \"body\" among \"text\", \"label\", \"text\"");
  CHECK(
      contains(table_error(path, {.text_column = "text", .header = true}), "more than one column is called \"text\""));
}

TEST_CASE("text that is not UTF-8 is an error that names its line") {
  const TemporaryFolder folder;
  const auto path = folder.file("t.tsv", "a\t1\nb\xFF\t2\n");
  CHECK(table_error(path) == "read: " + path.string() + ": line 2: not UTF-8 at byte 2 of the line");
  CHECK(read_text_table(path, {.label_column = "2", .utf8 = false})[1].text == "b\xFF");
  CHECK(contains(table_error(folder.file("t.csv", "\"a\nb\xC3(\",1\n")), "line 2: not UTF-8 at byte 2 of the line"));
}

TEST_CASE("a file that ends in the middle of a character is an error that names its line") {
  const TemporaryFolder folder;
  CHECK(contains(table_error(folder.file("t.tsv", "a\t1\nb\t\xE2\x82")),
                 "t.tsv: line 2: not UTF-8, it ends in the middle of a character"));
  CHECK(contains(error_of([&] { read_text(folder.file("t.txt", "a\nb\nc\xC3")); }),
                 "t.txt: line 3: not UTF-8, it ends in the middle of a character"));
  CHECK(contains(error_of([&] { read_text(folder.file("t.txt", "a\nb\xFF\nc")); }), "line 2: not UTF-8 at byte 2"));
}

TEST_CASE("a truncated gzip file is an error wherever it is cut") {
  const TemporaryFolder folder;
  const std::string packed = bytes_of(gzip_file(folder, "whole.tsv.gz", noisy_lines(5'000)));
  for (const std::size_t size :
       {std::size_t{2}, std::size_t{9}, std::size_t{15}, packed.size() / 2, packed.size() - 1}) {
    CAPTURE(size);
    CHECK(contains(table_error(folder.file("cut.tsv.gz", packed.substr(0, size))), "the gzip data ends too early"));
  }
}

TEST_CASE("a corrupt gzip file is an error") {
  const TemporaryFolder folder;
  std::string packed = bytes_of(gzip_file(folder, "whole.tsv.gz", noisy_lines(5'000)));
  std::string bad_checksum = packed;
  bad_checksum[packed.size() - 6] ^= 1;
  CHECK(contains(table_error(folder.file("bad.tsv.gz", bad_checksum)), "the gzip data is corrupt"));
  packed[12] ^= 7;
  CHECK(contains(table_error(folder.file("bad.tsv.gz", packed)), "the gzip data is corrupt"));
  CHECK(contains(table_error(folder.file("bad.tsv.gz", "plain\t1\n")), "is called .gz but is not gzip"));
}
