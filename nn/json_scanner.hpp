// A strict reader for the small part of JSON that file headers need: objects, arrays, strings and whole numbers.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <lintel/core/error.hpp>

namespace lintel::nn {

/// `text` as a JSON string, in quotes. It must be UTF-8.
std::string json_quote(std::string_view text);

/// The same, cut when it is long: for messages about text from outside.
std::string quote_briefly(std::string_view text);

/// Walks over a text that the caller knows the structure of. Every member throws an `Error` that names the byte where
/// the text is not what the caller wants. It does not recurse, so no text can exhaust the stack.
class JsonScanner {
 public:
  /// Throws `Error` if `text`, which must outlive the scanner, is not UTF-8.
  explicit JsonScanner(std::string_view text);

  /// A string, with its escapes resolved to UTF-8.
  std::string string();
  /// An integer from 0 to 2⁶³ − 1 without fraction or exponent.
  std::int64_t whole_number();
  /// Calls `value(key)` for each member of an object; `value` must read the member's value. A key may occur once only.
  template <class Value>
  void object(Value&& value) {
    std::set<std::string> seen;
    sequence('{', '}', [&] {
      const std::string key = string();
      if (!seen.insert(key).second) fail_here("the key " + quote_briefly(key) + " occurs twice");
      expect(':');
      value(key);
    });
  }
  /// Calls `element()`, which must read one, for each element of an array.
  template <class Element>
  void array(Element&& element) {
    sequence('[', ']', element);
  }
  /// Throws unless only white space is left.
  void end();

  [[noreturn]] void fail_here(const std::string& reason) const;

 private:
  template <class Part>
  void sequence(char open, char close, Part&& part) {
    expect(open);
    if (accept(close)) return;
    do part();
    while (accept(','));
    expect(close);
  }
  void skip_space();
  bool accept(char wanted);
  void expect(char wanted);
  std::uint32_t hexadecimal_digits();
  std::uint32_t escaped_code_point();
  void append_escaped(std::string& to);

  std::string_view text_;
  std::size_t place_ = 0;
};

}  // namespace lintel::nn
