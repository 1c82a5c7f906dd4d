// Names of which one is to be chosen.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <lintel/core/error.hpp>

namespace lintel {

/// Throws an `Error`, `<op>: unknown <thing> "<chosen>", one of a, b, c wanted`, unless `chosen` is among `choices`.
inline void check_choice(std::string_view op, std::string_view thing, const std::string& chosen,
                         const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), chosen) != choices.end()) return;
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  fail(op, ": unknown ", thing, " \"", chosen, "\", one of ", list, " wanted");
}

}  // namespace lintel
