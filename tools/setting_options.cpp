#include <lintel/tools/setting_options.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>

#include <lintel/tools/command.hpp>
#include <lintel/train/settings.hpp>

namespace lintel::tools {
namespace {

std::string option_name(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::string help_of(const train::Setting& setting) {
  std::string help = setting.help;
  for (std::size_t i = 0; i < setting.choices.size(); ++i) {
    help += (i == 0 ? ": " : i + 1 == setting.choices.size() ? " or " : ", ") + setting.choices[i];
  }
  return help;
}

}  // namespace

SettingOptions::SettingOptions(CLI::App& command, const std::vector<std::string>& names) {
  train::for_each_setting(values_, [&](const train::Setting& setting, auto& value) {
    const bool wanted = names.empty() || std::find(names.begin(), names.end(), setting.name) != names.end();
    if (!wanted) return;
    CLI::Option* option = nullptr;
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, bool>) {
      option = command.add_flag(option_name(setting.name), value, help_of(setting));
    } else {
      option = command.add_option(option_name(setting.name), value, help_of(setting))->capture_default_str();
    }
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::uint64_t>) require_unsigned(*option);
    option->group(setting.group);
    entries_.push_back({setting.name, option});
  });
}

void SettingOptions::override_in(train::RunConfig& config) const {
  const nlohmann::ordered_json all = to_json(values_);
  nlohmann::ordered_json chosen = nlohmann::ordered_json::object();
  for (const Entry& entry : entries_) {
    if (entry.option->count() > 0) chosen[entry.name] = all[entry.name];
  }
  merge(config, chosen, "options");
}

bool SettingOptions::given(const std::string& name) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& entry) { return entry.name == name && entry.option->count() > 0; });
}

const std::vector<std::string>& table_setting_names() {
  static const std::vector<std::string> names = {"format",       "header",        "text_column",  "second_text_column",
                                                 "label_column", "source_column", "target_column"};
  return names;
}

}  // namespace lintel::tools
