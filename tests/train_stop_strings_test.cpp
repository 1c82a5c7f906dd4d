#include <doctest/doctest.h>

#include <lintel/train/stop_strings.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using lintel_test::contains;
using lintel_test::error_of;

namespace {

/// What is shown of a text that arrives in pieces of `size` bytes, and the stop string that ended it.
std::pair<std::string, std::string> shown(const std::string& text, std::size_t size,
                                          const std::vector<std::string>& stops) {
  StopStrings watcher(stops);
  std::string result;
  for (std::size_t i = 0; i < text.size(); i += size) result += watcher.take(text.substr(i, size));
  result += watcher.rest();
  return {result, watcher.found()};
}

using Shown = std::pair<std::string, std::string>;

}  // namespace

TEST_CASE("a text ends before the first stop string, however it is cut into pieces") {
  for (const std::size_t size : {1, 2, 3, 100}) {
    CAPTURE(size);
    CHECK(shown("one two three", size, {"three", "two"}) == Shown{"one ", "two"});
    CHECK(shown("aaab", size, {"aab"}) == Shown{"a", "aab"});
    CHECK(shown("stop", size, {"stop"}) == Shown{"", "stop"});
    CHECK(shown("a\n\nb", size, {"\n\n"}) == Shown{"a", "\n\n"});
  }
}

TEST_CASE("a text without a stop string is shown whole, its end too when that only begins one") {
  for (const std::size_t size : {1, 2, 100}) {
    CHECK(shown("one two thr", size, {"three"}) == Shown{"one two thr", ""});
    CHECK(shown("", size, {"x"}) == Shown{"", ""});
    CHECK(shown("abc", size, {}) == Shown{"abc", ""});
  }
}

TEST_CASE("what cannot become a stop string is shown at once, and what can is held back") {
  StopStrings watcher({"end."});
  CHECK(watcher.take("the en") == "the ");
  CHECK(watcher.take("emy") == "enemy");
  CHECK(watcher.take("end") == "");
  CHECK(watcher.take(".x") == "");
  CHECK(watcher.found() == "end.");
  CHECK(watcher.take("more") == "");
  CHECK(watcher.rest() == "");
}

TEST_CASE("of two stop strings the one that is complete first ends the text") {
  CHECK(shown("xabc", 1, {"abc", "b"}) == Shown{"xa", "b"});
}

TEST_CASE("an empty stop string is an error") {
  CHECK(contains(error_of([] { StopStrings({"a", ""}); }), "a stop string is empty"));
}
