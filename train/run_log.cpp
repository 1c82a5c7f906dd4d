#include <cerrno>
#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>
#include <lintel/train/run_log.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace lintel::train {
namespace {

using Record = nlohmann::ordered_json;

Record parse_record(std::string_view line, const std::filesystem::path& path, std::size_t number) {
  Record record = Record::parse(line, nullptr, false);
  if (!record.is_object()) fail("log: ", path.string(), ": line ", number, " is not a JSON object");
  return record;
}

bool is_later_than(const Record& record, std::int64_t step) {
  const auto found = record.find("step");
  return found != record.end() && found->is_number_integer() && found->get<std::int64_t>() > step;
}

// Calls `visit(record, line)` for each whole line of `text` until it returns false.
template <class Visit>
void for_each_record(std::string_view text, const std::filesystem::path& path, const Visit& visit) {
  std::size_t number = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end + 1);
    if (!visit(parse_record(line, path, ++number), line)) return;
    text.remove_prefix(end + 1);
  }
}

void cut_log_after(const std::filesystem::path& path, std::int64_t step) {
  const std::string text = read_file(path);
  std::size_t kept = 0;
  for_each_record(text, path, [&](const Record& record, std::string_view line) {
    if (is_later_than(record, step)) return false;
    kept += line.size();
    return true;
  });
  if (kept < text.size()) write_file(path, std::string_view(text).substr(0, kept));
}

}  // namespace

RunLog::RunLog(std::filesystem::path path) : path_(std::move(path)) { open("w"); }

RunLog::RunLog(std::filesystem::path path, std::int64_t step) : path_(std::move(path)) {
  if (std::filesystem::exists(path_)) cut_log_after(path_, step);
  open("a");
}

void RunLog::open(const char* mode) {
  file_.reset(std::fopen(path_.c_str(), mode));
  if (!file_) fail("log: cannot open ", path_.string(), ": ", std::generic_category().message(errno));
}

void RunLog::append(const Record& record) {
  if (!record.is_object()) fail("log: a record is a JSON object, got ", record.type_name());
  // Text of a model may be anything; what is not UTF-8 is replaced rather than lost with the whole record.
  const std::string line = record.dump(-1, ' ', false, Record::error_handler_t::replace) + "\n";
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size();
  if (!written || std::fflush(file_.get()) != 0) {
    fail("log: cannot write ", path_.string(), ": ", std::generic_category().message(errno));
  }
}

std::vector<nlohmann::ordered_json> read_run_log(const std::filesystem::path& path) {
  std::vector<Record> records;
  const std::string text = read_file(path);
  for_each_record(text, path, [&](Record record, std::string_view) {
    records.push_back(std::move(record));
    return true;
  });
  return records;
}

}  // namespace lintel::train
