// The names of classes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lintel::train {

/// Maps the labels of a data set to class indices 0, 1, … and back. Labels that are all numbers are in numeric order,
/// otherwise they are in byte order.
class Labels {
 public:
  /// The distinct ones among `names`, of which there must be at least one.
  static Labels of(const std::vector<std::string_view>& names);

  /// Reads what `save` wrote. Throws `Error` if the file is not a list of labels.
  static Labels load(const std::filesystem::path& path);

  /// Writes the labels as JSON. Throws `Error` if that fails.
  void save(const std::filesystem::path& path) const;

  /// The number of classes.
  std::int64_t size() const { return static_cast<std::int64_t>(names_.size()); }

  /// The class of the label `name`. Throws `Error`, listing the labels, if there is none.
  std::int64_t index(std::string_view name) const;

  /// The label of the class `index`. Throws `Error` if there is none.
  const std::string& name(std::int64_t index) const;

 private:
  explicit Labels(std::vector<std::string> names) : names_(std::move(names)) {}

  std::vector<std::string> names_;  // a handful: a linear search finds one
};

}  // namespace lintel::train
