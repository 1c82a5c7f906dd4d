// The choice of instruction set: which of the compiled kernel sets this process uses.
#pragma once

#include <string>
#include <vector>

namespace lintel {

/// The instruction sets that kernels are compiled for. `baseline` is what the compiler assumes without flags
/// (SSE2 on x86-64); it always exists.
enum class Isa { baseline, avx2, avx512, neon };

/// The name that `LINTEL_ISA` accepts and that reports print: "baseline", "avx2", "avx512" or "neon".
const char* isa_name(Isa isa);

/// The sets that this build contains and this CPU can run, the best last.
std::vector<Isa> available_isas();

/// The set in use. Chosen on first use: the best available one, or the one that the environment variable `LINTEL_ISA`
/// names. Throws `Error` with the list of choices when that name is unknown or not available here.
Isa active_isa();

/// Uses `isa` from now on (for tests and benchmarks; not while another thread computes). Throws `Error` if unavailable.
void set_active_isa(Isa isa);

}  // namespace lintel
