// The `lintel` command: one subcommand per file.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <new>

#include <lintel/core/error.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/near_names.hpp>

namespace lintel::tools {
namespace {

const CLI::App& deepest_subcommand(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : deepest_subcommand(*chosen.front());
}

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* subcommand : command.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(subcommand->get_name());
  }
  return names;
}

// What was wrong with the command line. A word that nothing knows is named first: that an option is missing is often
// only because it was misspelt.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = deepest_subcommand(app);
  const std::string prefix = full_name(command) + ": ";
  const std::vector<std::string> unknown = app.remaining(true);
  for (const std::string& word : unknown) {
    if (!word.starts_with("-")) continue;
    const std::string name = word.substr(0, word.find('='));
    return prefix + "there is no option " + name + train::did_you_mean(name, option_names(command));
  }
  const std::vector<std::string> subcommands = subcommand_names(command);
  if (!unknown.empty() && !subcommands.empty()) {
    return prefix + "there is no command " + unknown.front() + train::did_you_mean(unknown.front(), subcommands);
  }
  if (!unknown.empty()) return prefix + "\"" + unknown.front() + "\" was not expected";
  return prefix + error.what();
}

// GNU's OpenMP threads spin for milliseconds before they sleep. On a machine that others use too, that makes small
// models train forty times slower; a thousand rounds (microseconds) cost nothing on an idle one. The limit is read when
// the library is loaded, so it takes a fresh start of this program to set it. Where that fails, nothing is lost but
// time.
void limit_spinning(char** argv) {
#ifdef __linux__
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error && ::setenv("GOMP_SPINCOUNT", "1000", 0) == 0) ::execv(program.c_str(), argv);
#else
  (void)argv;
#endif
}

int run(int argc, char** argv) {
  CLI::App app("Trains and uses Transformers whose attention has linear cost.", "lintel");
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);  // scripts append to a list of options
  Action action;
  add_data_command(app, action);
  add_train_command(app, action);
  add_eval_command(app, action);
  add_predict_command(app, action);
  add_generate_command(app, action);
  add_attention_map_command(app, action);
  add_import_command(app, action);
  add_info_command(app, action);
  add_bench_command(app, action);
  add_profile_command(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << explain(app, error) << "\n";
    return error_exit_code;
  }
  return action();
}

}  // namespace
}  // namespace lintel::tools

int main(int argc, char** argv) {
  lintel::tools::limit_spinning(argv);
  // A file that grows beyond its limit is then an error of `write` that can be reported, and not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return lintel::tools::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::cerr << "lintel: out of memory; try a smaller model, batch or max_length\n";
  } catch (const std::exception& error) {
    std::cerr << "lintel: " << error.what() << "\n";
  }
  return lintel::tools::error_exit_code;
}
