#include <algorithm>
#include <charconv>
#include <cmath>
#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/utf8.hpp>
#include <lintel/train/json_document.hpp>
#include <lintel/train/labels.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace lintel::train {
namespace {

constexpr const char* labels_format = "lintel labels";
constexpr std::size_t most_listed = 12;

std::optional<double> number_of_label(const std::string& name) {
  double value = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

// `names` come in byte order, and a stable sort leaves labels such as 1 and 01 in it.
void sort_labels(std::vector<std::string>& names) {
  auto is_number = [](const std::string& name) { return number_of_label(name).has_value(); };
  if (!std::all_of(names.begin(), names.end(), is_number)) return;
  std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return *number_of_label(a) < *number_of_label(b);
  });
}

std::string list_of_labels(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), most_listed); ++i) list += (i == 0 ? "" : ", ") + names[i];
  return names.size() > most_listed ? list + ", …" : list;
}

}  // namespace

Labels Labels::of(const std::vector<std::string_view>& names) {
  const std::set<std::string_view> distinct(names.begin(), names.end());
  if (distinct.empty()) fail("labels: got no labels, wanted at least one");
  std::vector<std::string> sorted(distinct.begin(), distinct.end());
  for (const std::string& name : sorted) {
    if (find_utf8_defect(name)) fail("labels: a label is not UTF-8");
  }
  sort_labels(sorted);
  return Labels(std::move(sorted));
}

std::int64_t Labels::index(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) {
    fail("labels: \"", name, "\" is none of the ", size(), " classes (", list_of_labels(names_), ")");
  }
  return found - names_.begin();
}

const std::string& Labels::name(std::int64_t index) const {
  if (index < 0 || index >= size()) fail("labels: class ", index, " is outside the ", size(), " classes");
  return names_[static_cast<std::size_t>(index)];
}

void Labels::save(const std::filesystem::path& path) const {
  const nlohmann::ordered_json json = {{"format", labels_format}, {"version", 1}, {"labels", names_}};
  write_file(path, json.dump(1) + "\n");
}

Labels Labels::load(const std::filesystem::path& path) {
  return read_json_document(path, labels_format, [](const nlohmann::json& json) {
    Labels labels(json.at("labels").get<std::vector<std::string>>());
    const std::set<std::string> distinct(labels.names_.begin(), labels.names_.end());
    if (distinct.empty()) fail("it has no labels");
    if (distinct.size() != labels.names_.size()) fail("a label occurs twice");
    return labels;
  });
}

}  // namespace lintel::train
