# cairn_folder(NAME DEPENDS lower-folder... LIBRARIES external...)
# One static library for each folder of src/, and one test program from its *_test.cc files.
add_custom_target(core_tests)  # the tests of every folder of src/

function(cairn_folder NAME)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(TESTS ${SOURCES})
  list(FILTER SOURCES EXCLUDE REGEX "_test\\.cc$|/main\\.cc$")
  list(FILTER TESTS INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM ARG_DEPENDS PREPEND cairn_)

  add_library(cairn_${NAME} STATIC ${SOURCES})
  target_include_directories(cairn_${NAME} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(cairn_${NAME} PUBLIC ${ARG_DEPENDS} ${ARG_LIBRARIES} Threads::Threads)

  if(TESTS)
    add_executable(${NAME}_test ${TESTS})
    target_compile_options(${NAME}_test PRIVATE ${CAIRN_QUICK_TO_COMPILE})
    target_link_libraries(${NAME}_test PRIVATE cairn_${NAME} GTest::gmock GTest::gtest_main)
    add_dependencies(core_tests ${NAME}_test)
    gtest_discover_tests(${NAME}_test TEST_PREFIX ${NAME}. DISCOVERY_MODE PRE_TEST
                         PROPERTIES LABELS ${NAME} TIMEOUT 600)
  endif()
endfunction()
