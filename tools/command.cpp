#include <lintel/tools/command.hpp>

#include <iostream>
#include <nlohmann/json.hpp>

#include <lintel/core/error.hpp>
#include <lintel/core/parallel.hpp>

namespace lintel::tools {

void add_json_option(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "print one JSON object as the last line");
}

void add_threads_option(CLI::App& command, std::int64_t& threads) {
  command.add_option("--threads", threads, "threads; 0: one per core")->capture_default_str();
}

void add_seed_option(CLI::App& command, std::uint64_t& seed, const std::string& help) {
  require_unsigned(*command.add_option("--seed", seed, help)->capture_default_str());
}

void require_unsigned(CLI::Option& option) {
  option.check([](const std::string& text) {
    return text.starts_with("-") ? "a whole number from 0 wanted, got " + text : std::string();
  });
}

void use_threads(std::int64_t threads) {
  constexpr std::int64_t most = 1024;
  if (threads < 0 || threads > most) fail("threads: wanted 0 to ", most, ", got ", threads);
  if (threads > 0) set_threads(static_cast<int>(threads));
}

void print_json(const nlohmann::ordered_json& object) {
  std::cout << object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
}

}  // namespace lintel::tools
