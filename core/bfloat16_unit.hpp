// The choice of what multiplies bfloat16 matrices.
#pragma once

#include <string>
#include <vector>

namespace lintel {

/// What multiplies matrices of bfloat16: the float32 multiply-adds of the active instruction set, after widening;
/// AVX512-BF16, which adds two products at a time; or the tile registers of AMX.
enum class Bfloat16Unit { float32, avx512_bf16, amx_bf16 };

/// The name that `LINTEL_BFLOAT16` accepts and that reports print: "float32", "avx512_bf16" or "amx_bf16".
const char* bfloat16_unit_name(Bfloat16Unit unit);

/// The units that this build contains and this CPU can run beside AVX-512, "float32" first. Asking for the tile
/// registers of AMX asks the operating system for them.
std::vector<Bfloat16Unit> available_bfloat16_units();

/// The unit in use; "float32" wherever the active instruction set is not AVX-512. Chosen on first use: the fastest
/// available one, or the one that the environment variable `LINTEL_BFLOAT16` names. Throws `Error` with the list of
/// choices when that name is unknown or not available here.
Bfloat16Unit active_bfloat16_unit();

/// Uses `unit` from now on (for tests and benchmarks; not while another thread computes). Throws `Error` if
/// unavailable.
void set_active_bfloat16_unit(Bfloat16Unit unit);

}  // namespace lintel
