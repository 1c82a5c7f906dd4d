// The log of a run: one JSON object a line, in the order of the steps.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace lintel::train {

/// Appends records to a JSONL file. A record is an object; most have a "step". Every record reaches the system before
/// `append` returns, so that a run that is killed leaves all of them.
class RunLog {
 public:
  /// Begins the log of a new run: an existing file is replaced.
  explicit RunLog(std::filesystem::path path);

  /// Goes on with the log of a run that is resumed after `step`: drops the first record of a later step and all after
  /// it, and a last line that was cut off. A missing file is begun. Throws `Error` if it is not such a log.
  RunLog(std::filesystem::path path, std::int64_t step);

  /// Appends one record. A number that is not finite becomes null, which is all that JSON has for it. Throws `Error` if
  /// it cannot be written.
  void append(const nlohmann::ordered_json& record);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void open(const char* mode);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

/// The records of a log. A last line without its newline, which a killed run may leave, is left out. Throws `Error`,
/// naming the line, for any other line that is not a JSON object.
std::vector<nlohmann::ordered_json> read_run_log(const std::filesystem::path& path);

}  // namespace lintel::train
