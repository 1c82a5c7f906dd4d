#include <algorithm>
#include <fstream>
#include <limits>
#include <lintel/core/cpu_limits.hpp>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace lintel {
namespace cpu_limits_detail {

constexpr int no_limit = std::numeric_limits<int>::max();

int whole_cores(double quota, double period) {
  if (!(quota > 0 && period > 0)) return no_limit;
  return static_cast<int>(std::clamp(quota / period, 1.0, 1e6));
}

/// Version 2 has one file, "max 100000" or "150000 100000"; version 1 two, with a quota of -1 for none.
int cores_of_group(const std::string& folder) {
  double quota = 0, period = 0;
  if (std::ifstream(folder + "/cpu.max") >> quota >> period) return whole_cores(quota, period);
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  if (quota_file >> quota && period_file >> period) return whole_cores(quota, period);
  return no_limit;
}

/// The least of a group and those around it. A container may see the path of its group on the host, whose folders do
/// not exist inside; then the mount itself is its group.
int cores_of_groups(const std::string& mount, std::string path) {
  int cores = cores_of_group(mount);
  while (!path.empty() && path != "/") {
    cores = std::min(cores, cores_of_group(mount + path));
    path.resize(std::min(path.size() - 1, path.rfind('/')));
  }
  return cores;
}

bool has_controller(const std::string& controllers, const std::string& name) {
  return ("," + controllers + ",").find("," + name + ",") != std::string::npos;
}

int cores_of_affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace cpu_limits_detail

int detail::cores_of_quota(const std::string& membership, const std::string& mount) {
  using namespace cpu_limits_detail;
  int cores = no_limit;
  std::ifstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // "0::/user.slice" or "4:cpu,cpuacct:/user.slice"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) cores = std::min(cores, cores_of_groups(mount, path));
    if (!has_controller(controllers, "cpu")) continue;
    for (const std::string& name : {std::string("cpu"), controllers}) {
      cores = std::min(cores, cores_of_groups(mount + "/" + name, path));
    }
  }
  return cores;
}

int available_cores() {
  return std::min(cpu_limits_detail::cores_of_affinity(),
                  detail::cores_of_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
}

}  // namespace lintel
