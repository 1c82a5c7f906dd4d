# cmake --install: the library, its public headers, the CMake package and, when it is built, the command.

include(CMakePackageConfigHelpers)

set(lintel_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lintel")

foreach(room IN ITEMS core autograd ops nn models)
  install(FILES ${lintel_${room}_PUBLIC} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/lintel/${room}")
endforeach()
install(FILES lintel.hpp DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/lintel")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(TARGETS lintel EXPORT lintelTargets)
install(EXPORT lintelTargets NAMESPACE lintel:: DESTINATION "${lintel_package_dir}")
if(TARGET lintel_command)
  install(TARGETS lintel_command)
endif()

configure_package_config_file(cmake/lintelConfig.cmake.in "${PROJECT_BINARY_DIR}/lintelConfig.cmake"
  INSTALL_DESTINATION "${lintel_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/lintelConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/lintelConfig.cmake" "${PROJECT_BINARY_DIR}/lintelConfigVersion.cmake"
  DESTINATION "${lintel_package_dir}")
