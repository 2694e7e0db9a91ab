# SPDX-License-Identifier: Apache-2.0
# Compiler flags of each build flavour. A flavour is chosen by a preset (CMakePresets.json).

set(BH_FLAVOUR "release" CACHE STRING "release, asan-ubsan, tsan, coverage or fuzz")
set_property(CACHE BH_FLAVOUR PROPERTY STRINGS release asan-ubsan tsan coverage fuzz)

# All optimisation is said here, in one place; assertions stay on in every flavour.
set(CMAKE_BUILD_TYPE "None" CACHE STRING "unused: see BH_FLAVOUR" FORCE)
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# -ffp-contract=off: model plans promise results that are bit-equal to the training library's.
# -fmacro-prefix-map: __FILE__ is a path from the root of the sources.
# _GNU_SOURCE is defined as nothing, so that a file which defines it again says the same.
add_compile_options(-g -fno-omit-frame-pointer -ffp-contract=off -Wall -Wextra -Wstrict-prototypes -Wvla
                    -Wformat-security -Wundef "-D_GNU_SOURCE=" "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")
add_link_options(-Wl,--build-id=sha1 -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)

# Everyone compiles with gcc and -O2 or -O1; clang and -O0 have their own ideas of what to warn about.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT BH_FLAVOUR STREQUAL "coverage")
  add_compile_options(-Werror)
endif()

if(BH_FLAVOUR STREQUAL "release")
  add_compile_options(-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
                      "-fdebug-prefix-map=${CMAKE_SOURCE_DIR}=.")
  add_link_options(-pie)
elseif(BH_FLAVOUR STREQUAL "asan-ubsan")
  add_compile_options(-O1 -fsanitize=address,undefined -fno-sanitize-recover=all -DBH_SANITIZE=1)
  add_link_options(-fsanitize=address,undefined)
elseif(BH_FLAVOUR STREQUAL "tsan")
  add_compile_options(-O1 -fsanitize=thread -DBH_SANITIZE=1)
  add_link_options(-fsanitize=thread)
elseif(BH_FLAVOUR STREQUAL "coverage")
  add_compile_options(-O0 --coverage -fprofile-update=atomic)
  add_link_options(--coverage)
elseif(BH_FLAVOUR STREQUAL "fuzz")
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "flavour fuzz needs clang-14: use `cmake --preset fuzz`")
  endif()
  add_compile_options(-O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DBH_SANITIZE=1)
  add_link_options(-fsanitize=address,undefined)
else()
  message(FATAL_ERROR "BH_FLAVOUR is '${BH_FLAVOUR}'; allowed: release, asan-ubsan, tsan, coverage, fuzz")
endif()
