#include <lintel/core/atomic_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include <lintel/core/error.hpp>

namespace lintel {
namespace atomic_file_detail {

constexpr std::size_t pending_limit = std::size_t{1} << 20;

// Closes its descriptor on every way out of a scope.
struct OpenFile {
  int descriptor;
  ~OpenFile() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

std::string system_reason(int error_number) { return std::generic_category().message(error_number); }

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// A name of its own for each writer, so that two of them never write into one temporary file.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<std::uint64_t> counter{0};
  const std::string suffix = "." + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".tmp";
  return folder_of(path) / ("." + path.filename().string() + suffix);
}

// Writes everything or returns the error number. A short write is not an error: it is what a nearly full disk does
// first.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// A rename is only safe against a power cut once the folder that holds the name is on the disk too.
int flush_folder(const std::filesystem::path& folder) {
  const OpenFile file{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (file.descriptor < 0) return errno;
  const int error_number = ::fsync(file.descriptor) == 0 ? 0 : errno;
  return error_number == EINVAL ? 0 : error_number;  // some file systems cannot flush a folder
}

}  // namespace atomic_file_detail

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  do {
    temporary_ = atomic_file_detail::temporary_name(path_);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);  // left by a killed process that had the same number
  if (descriptor_ < 0) fail_with(errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail_with(int error_number) const {
  fail("write: cannot write ", path_.string(), ": ", atomic_file_detail::system_reason(error_number));
}

void AtomicFile::write(std::string_view bytes) {
  if (descriptor_ < 0) fail("write: ", path_.string(), " is already in its place");
  if (pending_.size() + bytes.size() < atomic_file_detail::pending_limit) {
    pending_.append(bytes);
    return;
  }
  flush();
  if (const int error_number = atomic_file_detail::write_all(descriptor_, bytes)) fail_with(error_number);
}

void AtomicFile::flush() {
  if (const int error_number = atomic_file_detail::write_all(descriptor_, pending_)) fail_with(error_number);
  pending_.clear();
}

void AtomicFile::close_temporary() {
  if (::fsync(descriptor_) != 0) fail_with(errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_with(errno);
}

void AtomicFile::commit() {
  if (descriptor_ < 0) fail("write: ", path_.string(), " is already in its place");
  flush();
  close_temporary();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with(errno);
  temporary_.clear();
  const int error_number = atomic_file_detail::flush_folder(atomic_file_detail::folder_of(path_));
  if (error_number != 0) fail_with(error_number);
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const std::filesystem::path& path) {
  const atomic_file_detail::OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.descriptor < 0) fail("read: cannot open ", path.string(), ": ", atomic_file_detail::system_reason(errno));
  std::string bytes;
  std::string buffer(atomic_file_detail::pending_limit, '\0');
  ssize_t count = 0;
  while ((count = ::read(file.descriptor, buffer.data(), buffer.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read: cannot read ", path.string(), ": ", atomic_file_detail::system_reason(errno));
    bytes.append(buffer, 0, static_cast<std::size_t>(count));
  }
  return bytes;
}

void make_folders(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::path so_far;
  for (const std::filesystem::path& part : folder) {
    so_far /= part;
    const auto status = std::filesystem::status(so_far, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_directory(status)) {
      fail("make folder: cannot create ", folder.string(), ": ", so_far.string(), " is a file, not a folder");
    }
  }
  std::filesystem::create_directories(folder, error);
  if (error) fail("make folder: cannot create ", folder.string(), ": ", error.message());
}

}  // namespace lintel
