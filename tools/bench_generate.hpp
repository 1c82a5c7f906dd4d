// `lintel bench generate`.
#pragma once

#include <lintel/tools/command.hpp>

namespace lintel::tools {

/// Adds to `bench` what a token costs at the beginning of a text, and what at its end.
void add_bench_generate(CLI::App& bench, Action& action);

}  // namespace lintel::tools
