# What Lintel uses of other projects. The library needs none of them; the command needs three.

# xsimd supplies headers only, and only to the kernels. We take its include folder and not its target: Debian's 8.1
# names a library in the target's link interface that the package does not depend on.
function(lintel_find_xsimd)
  set(LINTEL_XSIMD_INCLUDE_DIR "" PARENT_SCOPE)
  if(NOT LINTEL_USE_XSIMD)
    return()
  endif()
  find_package(xsimd CONFIG QUIET)
  if(xsimd_FOUND AND xsimd_VERSION VERSION_GREATER_EQUAL 8.1)
    message(STATUS "Lintel: kernels use xsimd ${xsimd_VERSION}")
    set(LINTEL_XSIMD_INCLUDE_DIR "${xsimd_INCLUDE_DIRS}" PARENT_SCOPE)
  elseif(LINTEL_FETCH)
    include(FetchContent)
    FetchContent_Declare(lintel_xsimd
      URL https://github.com/xtensor-stack/xsimd/archive/refs/tags/13.2.0.tar.gz
      URL_HASH SHA256=edd8cd3d548c185adc70321c53c36df41abe64c1fe2c67bc6d93c3ecda82447a
      SOURCE_SUBDIR headers-only)  # no such folder: its own CMake project is not wanted, only its headers
    FetchContent_MakeAvailable(lintel_xsimd)
    message(STATUS "Lintel: kernels use the downloaded xsimd 13.2.0")
    set(LINTEL_XSIMD_INCLUDE_DIR "${lintel_xsimd_SOURCE_DIR}/include" PARENT_SCOPE)
  else()
    message(STATUS "Lintel: no xsimd 8.1 or newer found, kernels use compiler vector extensions")
  endif()
endfunction()

function(lintel_link_dependencies target)
  find_package(Threads REQUIRED)
  target_link_libraries(${target} PRIVATE Threads::Threads)
  set(LINTEL_OPENMP_LINKED OFF)
  if(LINTEL_USE_OPENMP)
    find_package(OpenMP COMPONENTS CXX QUIET)
    if(OpenMP_CXX_FOUND)
      target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
      set(LINTEL_OPENMP_LINKED ON)
    else()
      message(STATUS "Lintel: no OpenMP found, threads are Lintel's own")
    endif()
  endif()
  set(LINTEL_OPENMP_LINKED ${LINTEL_OPENMP_LINKED} PARENT_SCOPE)
endfunction()

# A macro: imported targets must be visible to the caller.
macro(lintel_find_tool_dependencies)
  foreach(package IN ITEMS ZLIB nlohmann_json CLI11)
    find_package(${package} QUIET)
    if(NOT ${package}_FOUND)
      message(FATAL_ERROR "Lintel: the command needs ${package}: run scripts/setup, "
        "or set LINTEL_BUILD_TOOLS and LINTEL_BUILD_TESTS to OFF to build the library alone")
    endif()
  endforeach()
endmacro()

lintel_find_xsimd()
