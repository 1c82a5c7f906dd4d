// The settings of a run as options of a subcommand.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include <lintel/train/run_config.hpp>

namespace lintel::tools {

/// Options named after settings (`--learning-rate` for `learning_rate`), with their defaults in the help. Must stay
/// where it is while `command` is parsed.
class SettingOptions {
 public:
  /// Adds the settings called `names` to `command`, all settings if there are none.
  explicit SettingOptions(CLI::App& command, const std::vector<std::string>& names = {});
  SettingOptions(const SettingOptions&) = delete;
  SettingOptions& operator=(const SettingOptions&) = delete;

  /// Overwrites in `config` what the command line gave. Throws `Error` for a value that its setting cannot have.
  void override_in(train::RunConfig& config) const;

  /// Whether the command line gave the setting called `name`.
  bool given(const std::string& name) const;

 private:
  struct Entry {
    std::string name;
    const CLI::Option* option;
  };

  train::RunConfig values_;
  std::vector<Entry> entries_;
};

/// The settings that say how a table is read.
const std::vector<std::string>& table_setting_names();

}  // namespace lintel::tools
