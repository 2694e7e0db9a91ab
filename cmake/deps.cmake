# SPDX-License-Identifier: Apache-2.0
# What comes from outside, as one interface target. --as-needed drops what a program does not use.

set(BH_PREFIX "${CMAKE_SOURCE_DIR}/.deps/prefix" CACHE PATH "where tools/setup put the C libraries")
foreach(archive sqlcipher yyjson llhttp)
  if(NOT EXISTS "${BH_PREFIX}/lib/lib${archive}.a")
    message(FATAL_ERROR "lib${archive}.a is missing: run tools/setup first")
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
