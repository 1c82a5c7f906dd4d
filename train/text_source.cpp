#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <lintel/core/error.hpp>
#include <lintel/core/utf8.hpp>
#include <lintel/train/text_source.hpp>

namespace lintel::train {
namespace {

constexpr unsigned text_chunk = 1u << 16;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool called_gzip(const std::filesystem::path& path) { return path.extension() == ".gz"; }

gzFile open_gzip_or_plain(const std::filesystem::path& path) {
  if (path == "-") return ::gzdopen(::dup(STDIN_FILENO), "rb");
  return ::gzopen(path.c_str(), "rb");
}

}  // namespace

struct TextSource::Stream {
  gzFile file;
  ~Stream() { ::gzclose(file); }
};

TextSource::TextSource(const std::filesystem::path& path) : name_(path == "-" ? "standard input" : path.string()) {
  if (std::filesystem::is_directory(path)) fail("read: ", name_, " is a folder, not a file");
  errno = 0;
  const gzFile file = open_gzip_or_plain(path);
  if (file == nullptr) fail("read: cannot open ", name_, ": ", std::generic_category().message(errno));
  stream_.reset(new Stream{file});
  ::gzbuffer(file, text_chunk);
  while (buffer_.size() < byte_order_mark.size() && fill()) {
  }
  // gzdirect: zlib passes bytes through as they are because they do not begin like gzip.
  if (called_gzip(path) && !buffer_.empty() && ::gzdirect(file))
    fail("read: ", name_, " is called .gz but is not gzip");
  if (buffer_.starts_with(byte_order_mark)) begin_ = byte_order_mark.size();
}

TextSource::~TextSource() = default;

bool TextSource::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + text_chunk);
  errno = 0;
  const int count = ::gzread(stream_->file, buffer_.data() + kept, text_chunk);
  const int system_error = errno;
  buffer_.resize(kept + static_cast<std::size_t>(std::max(count, 0)));
  int status = Z_OK;
  const char* reason = ::gzerror(stream_->file, &status);
  if (status == Z_BUF_ERROR) fail("read: ", name_, ": the gzip data ends too early, the file is cut off");
  if (status == Z_ERRNO) fail("read: cannot read ", name_, ": ", std::generic_category().message(system_error));
  if (count < 0) fail("read: ", name_, ": the gzip data is corrupt: ", reason);
  return count > 0;
}

bool TextSource::next_line(std::string& line) {
  std::size_t searched = begin_;
  std::size_t end = buffer_.find('\n', searched);
  while (end == std::string::npos) {
    searched = buffer_.size() - begin_;  // where the search goes on once `fill` has moved the rest to the front
    if (!fill()) break;
    end = buffer_.find('\n', searched);
  }
  if (end == std::string::npos && begin_ == buffer_.size()) return false;
  const std::size_t stop = std::min(end, buffer_.size());
  line.assign(buffer_, begin_, stop - begin_);
  begin_ = std::min(stop + 1, buffer_.size());
  return true;
}

std::string TextSource::rest() {
  while (fill()) {
  }
  std::string text = std::move(buffer_);
  buffer_.clear();
  text.erase(0, begin_);
  begin_ = 0;
  return text;
}

std::string read_text(const std::filesystem::path& path) {
  TextSource source(path);
  std::string text = source.rest();
  if (text.empty()) fail("read: ", source.name(), " is empty");
  require_utf8(text, source.name(), 1);
  return text;
}

void require_utf8(std::string_view text, const std::string& name, std::int64_t line) {
  const auto defect = find_utf8_defect(text);
  if (!defect) return;
  const auto before = text.substr(0, defect->offset);
  const std::int64_t at = line + std::count(before.begin(), before.end(), '\n');
  if (defect->unfinished) fail("read: ", name, ": line ", at, ": not UTF-8, it ends in the middle of a character");
  fail("read: ", name, ": line ", at, ": not UTF-8 at byte ", defect->offset - (before.rfind('\n') + 1) + 1,
       " of the line");
}

}  // namespace lintel::train
