# SPDX-License-Identifier: Apache-2.0
# One static library bh_<folder> for each folder of src/, in the order of cmake/law.txt.
#
# A library is linked with those whose headers its sources include (and bh_base), so that a test of
# one folder needs no other folder to compile. Which those are is read when CMake configures: after
# the first include of another folder's header, run cmake again if the linker misses a symbol.

set(BH_LAW "${CMAKE_SOURCE_DIR}/cmake/law.txt")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${BH_LAW}")

set(BH_FOLDERS "")
file(STRINGS "${BH_LAW}" law_lines REGEX "^(level|only) ")
foreach(line IN LISTS law_lines)
  string(REPLACE " " ";" words "${line}")
  list(POP_FRONT words kind)
  if(kind STREQUAL "only")
    list(GET words 0 words)
  endif()
  list(APPEND BH_FOLDERS ${words})
endforeach()

# bh_included_folders(<out> <file>...): the folders named by #include "folder/…" in these files.
function(bh_included_folders out)
  set(found "")
  foreach(source IN LISTS ARGN)
    file(STRINGS "${source}" lines REGEX "^#[ \t]*include[ \t]+\"[a-z_]+/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#[ \t]*include[ \t]+\"([a-z_]+)/.*" "\\1" folder "${line}")
      list(APPEND found "${folder}")
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES found)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

# bh_link_folders(<target> <PUBLIC|PRIVATE> <folder>...): links those of the folders that exist.
function(bh_link_folders target how)
  foreach(folder IN LISTS ARGN)
    if(TARGET bh_${folder} AND NOT target STREQUAL "bh_${folder}")
      target_link_libraries(${target} ${how} bh_${folder})
    endif()
  endforeach()
endfunction()

file(READ "${CMAKE_SOURCE_DIR}/VERSION" BH_VERSION)
string(STRIP "${BH_VERSION}" BH_VERSION)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/VERSION")
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/bh_version.h" @ONLY CONTENT "\
/* BH_VERSION is the file VERSION; BH_DEPS_DIR what tools/setup made, for a program run from its checkout */
#pragma once
#define BH_VERSION \"@BH_VERSION@\"
#define BH_DEPS_DIR \"@CMAKE_SOURCE_DIR@/.deps\"
")

# Targets first, links second: a folder's includes may name any other.
set(BH_LIBRARIES "")
foreach(folder IN LISTS BH_FOLDERS)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${folder}/*.c")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${folder}/*.h")
  list(REMOVE_ITEM sources "${CMAKE_SOURCE_DIR}/src/main/main.c" "${CMAKE_SOURCE_DIR}/src/main/engine.c")
  list(FILTER sources EXCLUDE REGEX "/src/engine/worker/")
  if(sources)
    add_library(bh_${folder} STATIC ${sources})
    target_include_directories(bh_${folder} PUBLIC "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/generated")
    list(APPEND BH_LIBRARIES bh_${folder})
    set(BH_FILES_${folder} ${sources} ${headers})
  endif()
endforeach()
foreach(library IN LISTS BH_LIBRARIES)
  string(REPLACE "bh_" "" folder "${library}")
  bh_included_folders(uses ${BH_FILES_${folder}})
  bh_link_folders(${library} PUBLIC ${uses} base)
  target_link_libraries(${library} PUBLIC bh_deps)
endforeach()

# The engine's worker side alone links DuckDB; it is no part of bh_engine, which control links.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/engine/worker/*.c")
file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/engine/worker/*.h")
if(sources)
  add_library(bh_engine_worker STATIC ${sources})
  target_include_directories(bh_engine_worker PUBLIC "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/generated")
  bh_included_folders(uses ${sources} ${headers})
  list(REMOVE_ITEM uses engine)
  bh_link_folders(bh_engine_worker PUBLIC ${uses} sys ipc sql delta base)
  target_link_libraries(bh_engine_worker PUBLIC bh_duckdb bh_nanoarrow bh_roaring bh_deps)
endif()

# Deletion vectors are Roaring bitmaps.
if(TARGET bh_delta)
  target_link_libraries(bh_delta PUBLIC bh_roaring)
endif()

# Scoring is the one place where the compiler's last few percent count.
if(TARGET bh_plan AND BH_FLAVOUR STREQUAL "release")
  target_compile_options(bh_plan PRIVATE -O3)
endif()

file(GLOB present LIST_DIRECTORIES true CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/src/*")
foreach(folder IN LISTS present)
  if(IS_DIRECTORY "${CMAKE_SOURCE_DIR}/src/${folder}" AND NOT folder IN_LIST BH_FOLDERS)
    message(WARNING "src/${folder} has no place in cmake/law.txt and is not built")
  endif()
endforeach()

if(EXISTS "${CMAKE_SOURCE_DIR}/src/main/main.c")
  add_executable(boathouse "${CMAKE_SOURCE_DIR}/src/main/main.c")
  target_include_directories(boathouse PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/generated")
  # Tables name functions of every folder; the group lets the linker find them in any order.
  # Handlers are named by weak references of the route table, which alone would not pull them in.
  if(TARGET bh_api)
    add_dependencies(boathouse bh_api)
    target_link_options(boathouse PRIVATE -Wl,--whole-archive "$<TARGET_FILE:bh_api>" -Wl,--no-whole-archive)
    set_target_properties(boathouse PROPERTIES LINK_DEPENDS "$<TARGET_FILE:bh_api>")
  endif()
  target_link_libraries(boathouse PRIVATE -Wl,--start-group ${BH_LIBRARIES} -Wl,--end-group bh_deps)
  set_target_properties(boathouse PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endif()

# The engine is a program of its own, so that no other process pays for DuckDB's pages.
if(EXISTS "${CMAKE_SOURCE_DIR}/src/main/engine.c" AND TARGET bh_engine_worker)
  add_executable(boathouse-engine "${CMAKE_SOURCE_DIR}/src/main/engine.c" "${CMAKE_SOURCE_DIR}/src/main/role.c"
                 "${CMAKE_SOURCE_DIR}/src/main/option.c")
  target_include_directories(boathouse-engine PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(boathouse-engine PRIVATE -Wl,--start-group bh_engine_worker bh_sql bh_delta bh_ipc bh_sys bh_base -Wl,--end-group bh_deps)
  set_target_properties(boathouse-engine PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endif()
