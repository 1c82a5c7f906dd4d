// lintel info: what a safetensors file holds.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include <lintel/nn/safetensors.hpp>
#include <lintel/tools/command.hpp>
#include <lintel/train/number_text.hpp>

namespace lintel::tools {
namespace {

using Json = nlohmann::ordered_json;

struct InfoCommand {
  std::string file;
  bool json = false;
};

std::string shape_text(const Shape& shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

void print_tensors(const std::vector<NamedTensor>& tensors) {
  std::size_t longest = 0;
  for (const auto& [name, tensor] : tensors) longest = std::max(longest, name.size());
  for (const auto& [name, tensor] : tensors) {
    std::cout << std::left << std::setw(static_cast<int>(longest) + 2) << name << std::setw(10)
              << dtype_name(tensor.dtype()) << shape_text(tensor.shape()) << "\n";
  }
}

Json json_of(const Safetensors& file, std::int64_t elements, std::int64_t bytes) {
  Json json = {{"tensors", Json::array()}, {"parameters", elements}, {"bytes", bytes}, {"metadata", file.metadata}};
  for (const auto& [name, tensor] : file.tensors) {
    Json shape = Json::array();
    for (const std::int64_t size : tensor.shape()) shape.push_back(size);
    json["tensors"].push_back({{"name", name}, {"dtype", dtype_name(tensor.dtype())}, {"shape", shape}});
  }
  return json;
}

int run_info(const InfoCommand& command) {
  const Safetensors file = read_safetensors(command.file);
  std::int64_t elements = 0, bytes = 0;
  for (const auto& [name, tensor] : file.tensors) {
    elements += tensor.size();
    bytes += static_cast<std::int64_t>(tensor.bytes());
  }
  print_tensors(file.tensors);
  std::cout << file.tensors.size() << " tensors, " << train::grouped_text(elements) << " parameters, "
            << train::grouped_text(bytes) << " bytes\n";
  for (const auto& [key, value] : file.metadata) std::cout << key << ": " << value << "\n";
  if (command.json) print_json(json_of(file, elements, bytes));
  return 0;
}

}  // namespace

void add_info_command(CLI::App& app, Action& action) {
  auto command = std::make_shared<InfoCommand>();
  CLI::App& info = *app.add_subcommand("info", "List the tensors of a safetensors file, after checking it");
  info.add_option("file", command->file, "the file")->required();
  add_json_option(info, command->json);
  info.callback([command, &action] { action = [command] { return run_info(*command); }; });
}

}  // namespace lintel::tools
