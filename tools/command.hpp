// What the subcommands of `lintel` share.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace lintel::tools {

/// What to do once the command line was understood; returns the exit code.
using Action = std::function<int()>;

/// Exit code of every error that a sentence explains.
inline constexpr int error_exit_code = 2;

/// Each adds one subcommand to `app`, which sets `action` when it is chosen.
void add_data_command(CLI::App& app, Action& action);
void add_train_command(CLI::App& app, Action& action);
void add_eval_command(CLI::App& app, Action& action);
void add_predict_command(CLI::App& app, Action& action);
void add_generate_command(CLI::App& app, Action& action);
void add_attention_map_command(CLI::App& app, Action& action);
void add_import_command(CLI::App& app, Action& action);
void add_info_command(CLI::App& app, Action& action);
void add_bench_command(CLI::App& app, Action& action);
void add_profile_command(CLI::App& app, Action& action);

/// Adds --json to `command`.
void add_json_option(CLI::App& command, bool& json);

/// Adds --threads to `command`.
void add_threads_option(CLI::App& command, std::int64_t& threads);

/// Adds --seed to `command`.
void add_seed_option(CLI::App& command, std::uint64_t& seed, const std::string& help);

/// CLI11 reads -1 as the largest unsigned number; this makes it an error.
void require_unsigned(CLI::Option& option);

/// Sets the number of threads; 0 leaves the default.
void use_threads(std::int64_t threads);

/// Prints `object` as the last line of standard output.
void print_json(const nlohmann::ordered_json& object);

}  // namespace lintel::tools
