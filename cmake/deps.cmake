# SPDX-License-Identifier: Apache-2.0
# What comes from outside, as one interface target. --as-needed drops what a program does not use.

set(BH_PREFIX "${CMAKE_SOURCE_DIR}/.deps/prefix" CACHE PATH "where tools/setup put the C libraries")
foreach(archive libsqlcipher.a libyyjson.a libllhttp.a libnanoarrow.a libroaring.a libduckdb.so)
  if(NOT EXISTS "${BH_PREFIX}/lib/${archive}")
    message(FATAL_ERROR "${archive} is missing: run tools/setup first")
  endif()
endforeach()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(BH_DEBIAN REQUIRED openssl libcurl libseccomp libcap libargon2 expat liblz4 libzstd zlib libpcre2-8
                  libunwind libutf8proc)

add_library(bh_deps INTERFACE)
target_include_directories(bh_deps SYSTEM INTERFACE "${BH_PREFIX}/include" ${BH_DEBIAN_INCLUDE_DIRS})
target_link_libraries(bh_deps INTERFACE "${BH_PREFIX}/lib/libsqlcipher.a" "${BH_PREFIX}/lib/libyyjson.a"
                      "${BH_PREFIX}/lib/libllhttp.a" ${BH_DEBIAN_LDFLAGS} Threads::Threads m dl)

# Libraries that few folders use, each a target of its own.

# Arrow: #include <nanoarrow/nanoarrow.h>, <nanoarrow/nanoarrow_ipc.h>
add_library(bh_nanoarrow INTERFACE)
target_include_directories(bh_nanoarrow SYSTEM INTERFACE "${BH_PREFIX}/include")
target_link_libraries(bh_nanoarrow INTERFACE "${BH_PREFIX}/lib/libnanoarrow.a" m)

# 64-bit bitmaps: #include <roaring/roaring.h>
add_library(bh_roaring INTERFACE)
target_include_directories(bh_roaring SYSTEM INTERFACE "${BH_PREFIX}/include")
target_link_libraries(bh_roaring INTERFACE "${BH_PREFIX}/lib/libroaring.a" m)

# DuckDB: #include <duckdb.h>. Only the engine's program and tests of its folder may link it: it is 70 MB
# and brings the C++ runtime. The program finds it relative to itself: beside the installed one in
# ../lib/boathouse, else in .deps of the checkout, from the build folder and from its tests/<label>.
# (The linker reads the paths from a file, since their $ORIGIN does not survive CMake and the shell.)
file(RELATIVE_PATH BH_LIB_FROM_BUILD "${CMAKE_BINARY_DIR}" "${BH_PREFIX}/lib")
file(WRITE "${CMAKE_BINARY_DIR}/duckdb.rpath" "-rpath $ORIGIN/../lib/boathouse:$ORIGIN/${BH_LIB_FROM_BUILD}\
:$ORIGIN/../../${BH_LIB_FROM_BUILD}\n")
add_library(bh_duckdb INTERFACE)
target_include_directories(bh_duckdb SYSTEM INTERFACE "${BH_PREFIX}/include")
target_link_options(bh_duckdb INTERFACE "-L${BH_PREFIX}/lib" "-Wl,@${CMAKE_BINARY_DIR}/duckdb.rpath")
target_link_libraries(bh_duckdb INTERFACE duckdb)
