// Is this text UTF-8?
#include <doctest/doctest.h>

#include <lintel/core/utf8.hpp>
#include <string>

using lintel::find_utf8_defect;

TEST_CASE("text in any script is UTF-8") {
  CHECK(!find_utf8_defect(""));
  CHECK(!find_utf8_defect(std::string_view("zero \0 byte", 11)));
  CHECK(!find_utf8_defect("Größe, ελληνικά, 漢字, 🙂"));
  CHECK(!find_utf8_defect("\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF \xF0\x90\x80\x80"));
  CHECK(!find_utf8_defect("\xF4\x8F\xBF\xBF"));
}

TEST_CASE("bytes that are not UTF-8 are found where they begin") {
  for (const std::string bad :
       {"\x80", "\xBF", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xC3(", "\xE2\x82(", "\xF0\x9F\x99("}) {
    const auto defect = find_utf8_defect("ab" + bad + "cd");
    REQUIRE(defect);
    CHECK(defect->offset == 2);
    CHECK(!defect->unfinished);
  }
}

TEST_CASE("a text that ends in the middle of a character says so") {
  for (const std::string cut : {"\xC3", "\xE2", "\xE2\x82", "\xF0\x9F", "\xF0\x9F\x99"}) {
    const auto defect = find_utf8_defect("abc" + cut);
    REQUIRE(defect);
    CHECK(defect->offset == 3);
    CHECK(defect->unfinished);
  }
  CHECK(!find_utf8_defect("abc\xE0\x80")->unfinished);  // could not have been finished
}
