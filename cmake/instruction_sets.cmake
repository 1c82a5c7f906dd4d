# One object file of kernels per instruction set. core/isa.cpp chooses among them when the program runs.

include(CheckCXXCompilerFlag)

set(LINTEL_FLAGS_BASELINE "")
set(LINTEL_FLAGS_AVX2 -mavx2 -mfma)
set(LINTEL_FLAGS_AVX512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mfma)
set(LINTEL_FLAGS_NEON "")
# Only the products of bfloat16 are compiled for these; core/bfloat16_unit.cpp chooses among them.
set(LINTEL_FLAGS_AVX512_BF16 ${LINTEL_FLAGS_AVX512} -mavx512bf16)
set(LINTEL_FLAGS_AMX_BF16 ${LINTEL_FLAGS_AVX512_BF16} -mamx-tile -mamx-bf16)

# lintel_add_sets_of_compiler(list set...): appends to the list those sets whose flags the compiler has.
macro(lintel_add_sets_of_compiler list)
  foreach(set IN ITEMS ${ARGN})
    list(JOIN LINTEL_FLAGS_${set} " " flags)
    check_cxx_compiler_flag("${flags}" LINTEL_COMPILER_HAS_${set})
    if(LINTEL_COMPILER_HAS_${set})
      list(APPEND ${list} ${set})
    endif()
  endforeach()
endmacro()

# LINTEL_INSTRUCTION_SETS, LINTEL_BFLOAT16_UNITS: what the target architecture and the compiler allow.
set(LINTEL_INSTRUCTION_SETS BASELINE)
set(LINTEL_BFLOAT16_UNITS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  lintel_add_sets_of_compiler(LINTEL_INSTRUCTION_SETS AVX2 AVX512)
  lintel_add_sets_of_compiler(LINTEL_BFLOAT16_UNITS AVX512_BF16 AMX_BF16)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  list(APPEND LINTEL_INSTRUCTION_SETS NEON)
endif()

# lintel_add_instruction_sets(target prefix [set...]): adds <prefix>_<set>.cpp for every set, and for those named,
# compiled for that set, and tells all sources of the target which sets exist: LINTEL_HAVE_AVX2 and so on.
# Always at -O3, in debug builds too: unoptimised vector code leaves weak symbols compiled for this set that the linker
# may pick for another CPU (scripts/check-structure finds them).
function(lintel_add_instruction_sets target prefix)
  target_include_directories(${target} SYSTEM PRIVATE ${LINTEL_XSIMD_INCLUDE_DIR})
  foreach(set IN LISTS LINTEL_INSTRUCTION_SETS ARGN)
    string(TOLOWER ${set} name)
    set(source "${CMAKE_CURRENT_SOURCE_DIR}/${prefix}_${name}.cpp")
    target_sources(${target} PRIVATE "${source}")
    set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_OPTIONS -O3 ${LINTEL_FLAGS_${set}})
    if(LINTEL_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # Every memory access is still checked, by a call. Inline checks, checked stack frames and checked arithmetic make
      # g++ 12 work for many minutes on the unrolled tiles of the matrix product.
      set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_OPTIONS -O2 -g0 -fno-sanitize=undefined
        --param=asan-stack=0 --param=asan-instrumentation-with-call-threshold=0)
    endif()
    if(LINTEL_XSIMD_INCLUDE_DIR)
      set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_DEFINITIONS LINTEL_HAVE_XSIMD)
    endif()
    if(NOT set STREQUAL BASELINE)
      target_compile_definitions(${target} PRIVATE LINTEL_HAVE_${set})
    endif()
  endforeach()
endfunction()
