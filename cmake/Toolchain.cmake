# Language, warnings, floating-point rules and sanitizers: the same for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

find_program(CCACHE ccache)
if(CCACHE)
  # Paths relative to the sources, so that another clone or worktree finds what this one has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

option(CAIRN_PORTABLE "Link everything statically: one file that runs on any Linux of its processor" OFF)
option(CAIRN_ARITHMETIC_ONLY "Nothing above src/exact: for other processors, to be compared by their bits" OFF)
set(CAIRN_SANITIZE "" CACHE STRING "Sanitizers, comma-separated: address,undefined or thread")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
# A gradient is the same bits everywhere: no contraction, no re-association (docs/formats/arithmetic.md).
add_compile_options(-ffp-contract=off -fno-fast-math)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-O1 -g -fno-omit-frame-pointer)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wno-pass-failed)  # sanitizers keep loops from becoming vectors, which costs speed alone
endif()
if(CAIRN_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees overruns in its own strings (GCC bug 105651).
  add_compile_options(-Wno-array-bounds -Wno-stringop-overflow)
endif()
if(CAIRN_SANITIZE)
  add_compile_options(-fsanitize=${CAIRN_SANITIZE} -fno-sanitize-recover=all -g1)  # lines, for reports
  add_link_options(-fsanitize=${CAIRN_SANITIZE})
endif()
if(CAIRN_PORTABLE)
  add_link_options(-static-pie -s)
  # The same bytes wherever it is built. ccache gives the compiler relative paths, nobody else does.
  file(RELATIVE_PATH CAIRN_SOURCES ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
  add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CAIRN_SOURCES}=)
endif()

# For code that only calls what is fast, such as tests and the command line: half the time to compile.
set(CAIRN_QUICK_TO_COMPILE -O1)

find_package(Threads REQUIRED)
if(NOT CAIRN_ARITHMETIC_ONLY)
  find_package(fmt REQUIRED)
  # Debian has no static library of {fmt}.
  add_library(cairn_fmt INTERFACE)
  target_link_libraries(cairn_fmt INTERFACE $<IF:$<BOOL:${CAIRN_PORTABLE}>,fmt::fmt-header-only,fmt::fmt>)
endif()
find_package(GTest REQUIRED)
include(GoogleTest)
