#include <cmath>

#include <lintel/core/choices.hpp>
#include <lintel/models/transformer_options.hpp>

namespace lintel::models {

void check_options(const char* model, const TransformerOptions& options) {
  check_choice(model, "positions", options.positions, {"learned", "rotary", "none"});
  auto check_positive = [&](const char* name, double number) {
    if (!(number > 0 && std::isfinite(number))) fail(model, ": ", name, " is ", number, ", a positive number wanted");
  };
  check_positive("rotary_base", options.rotary_base);
  check_positive("norm_epsilon", options.norm_epsilon);
}

}  // namespace lintel::models
