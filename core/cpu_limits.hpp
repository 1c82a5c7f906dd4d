// How much of the machine this process may use.
#pragma once

#include <string>

namespace lintel {

/// The cores that this process may run on at the same time: those of its affinity, but no more than its cgroups' quotas
/// pay for; at least 1.
int available_cores();

namespace detail {

/// The cores that the quotas of a process's cgroups, version 1 or 2, allow: the least of its group and those around it,
/// rounded down but at least 1, or the largest integer where there is no quota. `membership` is the process's
/// /proc/self/cgroup, `mount` where the groups' folders are.
int cores_of_quota(const std::string& membership, const std::string& mount);

}  // namespace detail
}  // namespace lintel
