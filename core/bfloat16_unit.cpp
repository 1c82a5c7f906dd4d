#include <lintel/core/bfloat16_unit.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include <lintel/core/error.hpp>
#include <lintel/core/isa.hpp>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace lintel {
namespace bfloat16_unit_detail {

#if defined(__x86_64__)
/// Register `index` (eax, ebx, ecx, edx) of a leaf of CPUID; 0 where there is no such leaf.
unsigned cpuid_register(unsigned leaf, unsigned subleaf, int index) {
  unsigned registers[4] = {};
  if (__get_cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]) == 0) return 0;
  return registers[index];
}

bool has_avx512_bf16() { return (cpuid_register(7, 1, 0) >> 5 & 1) != 0; }

bool has_amx_bf16() { return (cpuid_register(7, 0, 3) >> 22 & 1) != 0 && (cpuid_register(7, 0, 3) >> 24 & 1) != 0; }

/// Linux gives the registers of AMX, 8 KiB of state, to a process that asks.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

/// Whether a dot product of pairs is issued as often as a multiply-add, and so does twice the work. Intel's cores issue
/// it a quarter as often: there multiply-adds are faster.
bool has_fast_dots() { return cpuid_register(0, 0, 1) == signature_AMD_ebx; }
#endif

/// Whether the kernels of `unit` were compiled in and this CPU can run them.
bool is_available(Bfloat16Unit unit) {
  const std::vector<Isa> sets = available_isas();
  if (unit == Bfloat16Unit::float32) return true;
  if (std::find(sets.begin(), sets.end(), Isa::avx512) == sets.end()) return false;
#if defined(LINTEL_HAVE_AVX512_BF16)
  if (unit == Bfloat16Unit::avx512_bf16) return has_avx512_bf16();
#endif
#if defined(LINTEL_HAVE_AMX_BF16)
  if (unit == Bfloat16Unit::amx_bf16) {
    static const bool available = has_avx512_bf16() && has_amx_bf16() && may_use_tiles();
    return available;
  }
#endif
  return false;
}

[[noreturn]] void fail_unavailable(const std::string& asked_by, const std::string& name) {
  std::string choices;
  for (Bfloat16Unit unit : available_bfloat16_units()) {
    choices += (choices.empty() ? "" : ", ") + std::string(bfloat16_unit_name(unit));
  }
  fail(asked_by, ": bfloat16 unit \"", name, "\" is unknown or not available here; choices: ", choices);
}

Bfloat16Unit fastest_unit() {
  if (is_available(Bfloat16Unit::amx_bf16)) return Bfloat16Unit::amx_bf16;
#if defined(__x86_64__)
  if (is_available(Bfloat16Unit::avx512_bf16) && has_fast_dots()) return Bfloat16Unit::avx512_bf16;
#endif
  return Bfloat16Unit::float32;
}

Bfloat16Unit choose_unit() {
  const char* name = std::getenv("LINTEL_BFLOAT16");
  if (name == nullptr || *name == '\0') return fastest_unit();
  for (Bfloat16Unit unit : available_bfloat16_units()) {
    if (bfloat16_unit_name(unit) == std::string(name)) return unit;
  }
  fail_unavailable("LINTEL_BFLOAT16", name);
}

/// The unit in use. A throwing first choice leaves it unset, so the next call tries, and throws, again.
std::atomic<Bfloat16Unit>& chosen_unit() {
  static std::atomic<Bfloat16Unit> unit{choose_unit()};
  return unit;
}

}  // namespace bfloat16_unit_detail

const char* bfloat16_unit_name(Bfloat16Unit unit) {
  switch (unit) {
    case Bfloat16Unit::float32:
      return "float32";
    case Bfloat16Unit::avx512_bf16:
      return "avx512_bf16";
    case Bfloat16Unit::amx_bf16:
      return "amx_bf16";
  }
  return "unknown";
}

std::vector<Bfloat16Unit> available_bfloat16_units() {
  std::vector<Bfloat16Unit> units;
  for (Bfloat16Unit unit : {Bfloat16Unit::float32, Bfloat16Unit::avx512_bf16, Bfloat16Unit::amx_bf16}) {
    if (bfloat16_unit_detail::is_available(unit)) units.push_back(unit);
  }
  return units;
}

Bfloat16Unit active_bfloat16_unit() {
  const Bfloat16Unit chosen = bfloat16_unit_detail::chosen_unit().load(std::memory_order_relaxed);
  return active_isa() == Isa::avx512 ? chosen : Bfloat16Unit::float32;
}

void set_active_bfloat16_unit(Bfloat16Unit unit) {
  using namespace bfloat16_unit_detail;
  if (!is_available(unit)) fail_unavailable("set_active_bfloat16_unit", bfloat16_unit_name(unit));
  chosen_unit().store(unit, std::memory_order_relaxed);
}

}  // namespace lintel
