# A room is a folder of sources. This file turns the lists of sources.cmake into forwarding headers and targets.

# The only include path of the build tree. It holds one-line headers that include the real ones, so that a header has
# the same name, <lintel/room/name.hpp>, in this repository and in an installed copy.
set(LINTEL_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
file(GLOB_RECURSE lintel_stale_headers "${LINTEL_INCLUDE_DIR}/lintel/*")

# Makes the repository's header `path` reachable as <lintel/path>.
function(lintel_forward_header path)
  set(forwarding "${LINTEL_INCLUDE_DIR}/lintel/${path}")
  file(CONFIGURE OUTPUT "${forwarding}" CONTENT "#include \"${PROJECT_SOURCE_DIR}/${path}\"\n" @ONLY)
  list(REMOVE_ITEM lintel_stale_headers "${forwarding}")
  set(lintel_stale_headers "${lintel_stale_headers}" PARENT_SCOPE)
endfunction()

# lintel_room(name [PUBLIC header...] [PRIVATE header...] [SOURCES file...] [KERNELS file...])
# declares the files of a room, as lintel_<name>_PUBLIC, _PRIVATE, _SOURCES and _KERNELS.
function(lintel_room room)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "PUBLIC;PRIVATE;SOURCES;KERNELS")
  if(room_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "lintel_room(${room}): files without a list: ${room_UNPARSED_ARGUMENTS}")
  endif()
  foreach(list IN ITEMS PUBLIC PRIVATE SOURCES KERNELS)
    list(TRANSFORM room_${list} PREPEND "${room}/")
    set(lintel_${room}_${list} "${room_${list}}" PARENT_SCOPE)
  endforeach()
  foreach(header IN LISTS room_PUBLIC room_PRIVATE)
    lintel_forward_header("${header}")
  endforeach()
  set(lintel_stale_headers "${lintel_stale_headers}" PARENT_SCOPE)
endfunction()

# Adds a room's sources to `target`; its kernels are added by lintel_add_instruction_sets. With LINTEL_UNITY_BUILD a
# handful of them is compiled at a time, as `lintel.cpp` does with all of them: most of a file's compile time is spent
# on the headers it includes and on the inline functions of CLI11 and nlohmann-json.
function(lintel_target_room target room)
  if(LINTEL_UNITY_BUILD)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
  list(TRANSFORM lintel_${room}_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/" OUTPUT_VARIABLE sources)
  target_sources(${target} PRIVATE ${sources})
endfunction()
