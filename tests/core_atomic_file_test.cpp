// Files that are complete or not there at all.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <lintel/core/atomic_file.hpp>

#include "file_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

/// No file may grow beyond `bytes` for the length of a test, and growing beyond is an error of the call, not a signal.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    before_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, before_handler_);
  }

 private:
  rlimit before_{};
  void (*before_handler_)(int);
};

/// A tiny file system at `path`, where mounting is allowed.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& path) : path_(path) {
    is_mounted_ = ::mount("none", path_.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) ::umount(path_.c_str());
  }
  bool is_mounted() const { return is_mounted_; }

 private:
  std::filesystem::path path_;
  bool is_mounted_;
};

const std::string megabyte(std::size_t{1} << 20, 'x');

}  // namespace

TEST_CASE("a written file holds its bytes and leaves nothing else in the folder") {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\r\n\xFF", 6);
  write_file(folder.path() / "file", bytes);
  CHECK(bytes_of(folder.path() / "file") == bytes);
  CHECK(read_file(folder.path() / "file") == bytes);
  write_file(folder.path() / "file", "");
  CHECK(read_file(folder.path() / "file").empty());
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("a file appears on commit and not before") {
  const TemporaryFolder folder;
  const auto path = folder.file("file", "old");
  {
    AtomicFile file(path);
    file.write(megabyte);
    file.write(megabyte);
    file.write("end");
    CHECK(bytes_of(path) == "old");
    file.commit();
    CHECK(bytes_of(path) == megabyte + megabyte + "end");
    CHECK(contains(error_of([&] { file.write("more"); }), "already in its place"));
  }
  CHECK(bytes_of(path).size() == 2 * megabyte.size() + 3);
}

TEST_CASE("a file that is not committed leaves the old one and no temporary file") {
  const TemporaryFolder folder;
  const auto path = folder.file("file", "old");
  { AtomicFile(path).write(megabyte); }
  CHECK(bytes_of(path) == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("a written file has the permissions that the umask leaves") {
  const TemporaryFolder folder;
  const mode_t before = ::umask(027);
  write_file(folder.path() / "file", "bytes");
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat((folder.path() / "file").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("a file that grows too large is an error that leaves the old file") {
  const TemporaryFolder folder;
  const auto path = folder.file("file", "old");
  std::string sentence;
  {
    const FileSizeLimit limit(100'000);
    sentence = error_of([&] { write_file(path, megabyte); });
  }
  CHECK(sentence == "write: cannot write " + path.string() + ": File too large");
  CHECK(bytes_of(path) == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("a full disk is an error that leaves the old file") {
  const TemporaryFolder folder;
  const SmallDisk disk(folder.path());
  if (!disk.is_mounted()) {
    MESSAGE("SKIPPED: no tmpfs may be mounted here");
    return;
  }
  const auto path = folder.file("file", "old");
  CHECK(error_of([&] { write_file(path, megabyte); }) ==
        "write: cannot write " + path.string() + ": No space left on device");
  CHECK(bytes_of(path) == "old");
  CHECK(folder.names() == std::vector<std::string>{"file"});
}

TEST_CASE("a file in a folder that is missing or is a file is an error") {
  const TemporaryFolder folder;
  folder.file("plain", "old");
  CHECK(contains(error_of([&] { write_file(folder.path() / "none" / "file", ""); }), "No such file or directory"));
  CHECK(contains(error_of([&] { write_file(folder.path() / "plain" / "file", ""); }), "Not a directory"));
}

TEST_CASE("a file in the place of a folder is an error that leaves no temporary file") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "taken");
  CHECK(contains(error_of([&] { write_file(folder.path() / "taken", "bytes"); }), "Is a directory"));
  CHECK(folder.names() == std::vector<std::string>{"taken"});
}

TEST_CASE("reading a file that is missing or is a folder is an error") {
  const TemporaryFolder folder;
  const auto missing = folder.path() / "missing";
  CHECK(error_of([&] { read_file(missing); }) ==
        "read: cannot open " + missing.string() + ": No such file or directory");
  CHECK(contains(error_of([&] { read_file(folder.path()); }), "Is a directory"));
}

TEST_CASE("folders are made with those above them, and may be there already") {
  const TemporaryFolder folder;
  make_folders(folder.path() / "a" / "b" / "c");
  make_folders(folder.path() / "a" / "b" / "c");
  CHECK(std::filesystem::is_directory(folder.path() / "a" / "b" / "c"));
}

TEST_CASE("a folder below a regular file is an error that names the file") {
  const TemporaryFolder folder;
  const auto plain = folder.file("plain", "old");
  const auto wanted = plain / "runs" / "one";
  CHECK(error_of([&] { make_folders(wanted); }) ==
        "make folder: cannot create " + wanted.string() + ": " + plain.string() + " is a file, not a folder");
  CHECK(bytes_of(plain) == "old");
}
