// The choice of instruction set: compiled in, able to run, asked for.
#include <lintel/core/error.hpp>
#include <lintel/core/isa.hpp>

#include <atomic>
#include <cstdlib>

namespace lintel {

namespace isa_detail {

constexpr Isa every_isa[] = {Isa::baseline, Isa::avx2, Isa::avx512, Isa::neon};

/// Whether kernels for `isa` were compiled into this library.
constexpr bool is_compiled(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return true;
    case Isa::avx2:
#ifdef LINTEL_HAVE_AVX2
      return true;
#else
      return false;
#endif
    case Isa::avx512:
#ifdef LINTEL_HAVE_AVX512
      return true;
#else
      return false;
#endif
    case Isa::neon:
#ifdef LINTEL_HAVE_NEON
      return true;
#else
      return false;
#endif
  }
  return false;
}

/// Whether this CPU, and the operating system that must save its registers, can run `isa`.
bool is_runnable(Isa isa) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma");
  }
#elif defined(__aarch64__)
  if (isa == Isa::neon) return true;
#endif
  return isa == Isa::baseline;
}

bool is_available(Isa isa) { return is_compiled(isa) && is_runnable(isa); }

[[noreturn]] void fail_unavailable(const std::string& asked_by, const std::string& name) {
  std::string choices;
  for (Isa isa : available_isas()) choices += (choices.empty() ? "" : ", ") + std::string(isa_name(isa));
  fail(asked_by, ": instruction set \"", name, "\" is unknown or not available here; choices: ", choices);
}

Isa choose_isa() {
  const char* name = std::getenv("LINTEL_ISA");
  if (name == nullptr || *name == '\0') return available_isas().back();
  for (Isa isa : available_isas()) {
    if (isa_name(isa) == std::string(name)) return isa;
  }
  fail_unavailable("LINTEL_ISA", name);
}

/// The set in use. A throwing first choice leaves it unset, so the next call tries, and throws, again.
std::atomic<Isa>& chosen_isa() {
  static std::atomic<Isa> isa{choose_isa()};
  return isa;
}

}  // namespace isa_detail

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return "baseline";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::neon:
      return "neon";
  }
  return "unknown";
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (Isa isa : isa_detail::every_isa) {
    if (isa_detail::is_available(isa)) isas.push_back(isa);
  }
  return isas;
}

Isa active_isa() { return isa_detail::chosen_isa().load(std::memory_order_relaxed); }

void set_active_isa(Isa isa) {
  if (!isa_detail::is_available(isa)) isa_detail::fail_unavailable("set_active_isa", isa_name(isa));
  isa_detail::chosen_isa().store(isa, std::memory_order_relaxed);
}

}  // namespace lintel
