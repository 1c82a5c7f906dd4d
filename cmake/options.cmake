# How our own code is compiled: build type, warnings, sanitisers, floating point.

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo or MinSizeRel" FORCE)
  endif()
  find_program(LINTEL_CCACHE ccache)
  mark_as_advanced(LINTEL_CCACHE)
  if(LINTEL_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${LINTEL_CCACHE}")
  endif()
endif()

# There are no modules here: looking for some would cost every file a run of clang-scan-deps, which not every clang has.
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

# Gives `target` the language, warnings and floating-point rules of this repository, for its own sources only.
function(lintel_compile_options target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF COMPILE_WARNING_AS_ERROR OFF)
  target_compile_features(${target} PRIVATE cxx_std_20)
  # No contraction of a * b + c into one rounded operation: which expressions a compiler fuses depends on its version
  # and on the optimisation level, and results must not. Kernels that want a fused operation call fma().
  target_compile_options(${target} PRIVATE -ffp-contract=off)
  if(LINTEL_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
      # False alarms of g++ 12: at "x" + std::to_string(n) (GCC bug 105651), and inside nlohmann-json where it is inlined.
      target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized)
    elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      # std::stable_sort of libstdc++ 12 uses what it calls deprecated.
      target_compile_options(${target} PRIVATE -Wno-deprecated-declarations)
    endif()
  else()
    target_compile_options(${target} PRIVATE -Wno-error)
  endif()
  if(LINTEL_SANITIZE)
    list(JOIN LINTEL_SANITIZE "," sanitisers)
    set(flags -fsanitize=${sanitisers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(${target} PRIVATE ${flags})
    target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
    target_link_options(${target} PUBLIC ${flags})
  endif()
endfunction()
