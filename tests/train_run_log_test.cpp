// The log of a run and its progress line.
#include <doctest/doctest.h>

#include <cmath>
#include <lintel/train/run_log.hpp>
#include <nlohmann/json.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;
using Json = nlohmann::ordered_json;

namespace {

/// A log of three steps and what was measured between them.
std::filesystem::path log_of_three_steps(const TemporaryFolder& folder) {
  const auto path = folder.path() / "log.jsonl";
  RunLog log(path);
  log.append({{"event", "start"}});
  for (int step = 1; step <= 3; ++step) log.append({{"step", step}, {"loss", 1.0 / step}});
  log.append({{"event", "end"}});
  return path;
}

}  // namespace

TEST_CASE("each record is one line, there as soon as it is appended") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "log.jsonl";
  RunLog log(path);
  log.append({{"step", 1}, {"text", "two\nlines"}});
  CHECK(bytes_of(path) == "{\"step\":1,\"text\":\"two\\nlines\"}\n");
  log.append({{"loss", std::nan("")}, {"bytes", "\xFF"}});
  CHECK(bytes_of(path).ends_with("\n{\"loss\":null,\"bytes\":\"\xEF\xBF\xBD\"}\n"));
  CHECK(contains(error_of([&] { log.append(Json(3)); }), "a record is a JSON object, got number"));
}

TEST_CASE("a new run replaces the log, a resumed one cuts it after its step") {
  const TemporaryFolder folder;
  const auto path = log_of_three_steps(folder);
  { RunLog(path, 2).append({{"step", 3}, {"loss", 0.5}}); }
  const auto records = read_run_log(path);
  REQUIRE(records.size() == 4);
  CHECK(records[0].at("event") == "start");
  CHECK(records[2].at("step") == 2);
  CHECK(records[3].at("loss") == 0.5);
  { RunLog log(path); }
  CHECK(read_run_log(path).empty());
}

TEST_CASE("a resumed log equals one that was never interrupted") {
  const TemporaryFolder folder;
  const auto path = log_of_three_steps(folder);
  const std::string whole = bytes_of(path);
  RunLog log(path, 1);
  for (int step = 2; step <= 3; ++step) log.append({{"step", step}, {"loss", 1.0 / step}});
  log.append({{"event", "end"}});
  CHECK(bytes_of(path) == whole);
}

TEST_CASE("resuming at the last step keeps all, and without a log begins one") {
  const TemporaryFolder folder;
  const auto path = log_of_three_steps(folder);
  const std::string whole = bytes_of(path);
  { RunLog log(path, 3); }
  CHECK(bytes_of(path) == whole);
  RunLog(folder.path() / "other.jsonl", 3).append({{"step", 4}});
  CHECK(read_run_log(folder.path() / "other.jsonl").size() == 1);
}

TEST_CASE("a last line that was cut off is dropped, any other bad line is an error that names it") {
  const TemporaryFolder folder;
  const auto path = folder.file("log.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"st");
  CHECK(read_run_log(path).size() == 2);
  { RunLog(path, 2).append({{"step", 3}}); }
  CHECK(bytes_of(path) == "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
  folder.file("log.jsonl", "{\"step\":1}\n[2]\n");
  CHECK(error_of([&] { read_run_log(path); }) == "log: " + path.string() + ": line 2 is not a JSON object");
  CHECK(contains(error_of([&] { RunLog(path, 5); }), "line 2 is not a JSON object"));
}

TEST_CASE("a log that cannot be opened is an error") {
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { RunLog(folder.path() / "none" / "log.jsonl"); }), "No such file or directory"));
}
