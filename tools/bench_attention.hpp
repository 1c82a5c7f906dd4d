// `lintel bench attention`.
#pragma once

#include <lintel/tools/command.hpp>

namespace lintel::tools {

/// Adds to `bench` attention alone, queries, keys and values given.
void add_bench_attention(CLI::App& bench, Action& action);

}  // namespace lintel::tools
