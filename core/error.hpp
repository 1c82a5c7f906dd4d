// The one exception of the library: an error is a sentence.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace lintel {

/// Thrown whenever a public function cannot do what it was asked. `what()` is one sentence that names the operation,
/// what it got and what it wanted: `matmul: inner sizes differ: (32, 64) x (128, 10)`.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Joins the printable `parts` into one sentence and throws it as an `Error`.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream sentence;
  (sentence << ... << parts);
  throw Error(sentence.str());
}

}  // namespace lintel
