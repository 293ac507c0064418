# What all tests see, compiled once: a program, so that its flags are those of the tests.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/test_headers.cc CONTENT "int main() {}\n")
add_executable(cairn_test_headers ${CMAKE_BINARY_DIR}/test_headers.cc)
target_compile_options(cairn_test_headers PRIVATE ${CAIRN_QUICK_TO_COMPILE})
target_link_libraries(cairn_test_headers PRIVATE GTest::gmock)
target_precompile_headers(cairn_test_headers PRIVATE <filesystem> <functional> <map> <gmock/gmock.h> <gtest/gtest.h>)
add_custom_target(core_tests)  # the tests of every folder of src/

# cairn_folder(NAME DEPENDS lower-folder... LIBRARIES external... PRECOMPILE header... WITHOUT regex...)
# One static library for each folder of src/, less the files that match WITHOUT, and one test program from its
# *_test.cc files.
function(cairn_folder NAME)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES;PRECOMPILE;WITHOUT" ${ARGN})
  file(GLOB SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(REGEX ${ARG_WITHOUT})
    list(FILTER SOURCES EXCLUDE REGEX ${REGEX})
  endforeach()
  set(TESTS ${SOURCES})
  list(FILTER SOURCES EXCLUDE REGEX "_test\\.cc$|/main\\.cc$")
  list(FILTER TESTS INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM ARG_DEPENDS PREPEND cairn_)

  add_library(cairn_${NAME} STATIC ${SOURCES})
  target_include_directories(cairn_${NAME} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(cairn_${NAME} PUBLIC ${ARG_DEPENDS} ${ARG_LIBRARIES} Threads::Threads)

  if(ARG_PRECOMPILE)
    target_precompile_headers(cairn_${NAME} PRIVATE ${ARG_PRECOMPILE})
  endif()

  if(TESTS)
    add_executable(${NAME}_test ${TESTS})
    # GCC 12 sees overruns in its own strings once their headers are precompiled (GCC bug 105651).
    target_compile_options(${NAME}_test PRIVATE ${CAIRN_QUICK_TO_COMPILE}
                           "$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow>")
    target_precompile_headers(${NAME}_test REUSE_FROM cairn_test_headers)
    target_link_libraries(${NAME}_test PRIVATE cairn_${NAME} GTest::gmock GTest::gtest_main)
    add_dependencies(core_tests ${NAME}_test)
    gtest_discover_tests(${NAME}_test TEST_PREFIX ${NAME}. DISCOVERY_MODE PRE_TEST
                         PROPERTIES LABELS ${NAME} TIMEOUT 600)
  endif()
endfunction()
