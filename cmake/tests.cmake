# SPDX-License-Identifier: Apache-2.0
# Tests by folder. The folder's name is the CTest label; a unit test has its src folder as a second.
#
#   tests/<label>/<name>.c        a cmocka program, linked with the folders whose headers it includes
#   tests/<label>/test_*.py       run by pytest of the client environment
#   tests/fuzz/fuzz_<what>.c      libFuzzer in flavour fuzz, else a replay of its corpus

set(BH_TEST_FILTER "" CACHE STRING "regular expression: configure only tests whose label/name matches")
set(BH_RELEASE_BIN "" CACHE FILEPATH "release binary for tests that must not run a sanitizer build")
set(BH_CLIENT_PYTHON "${CMAKE_SOURCE_DIR}/.deps/py/client/bin/python")
set(BH_LABELS 00-unit 10-module 20-format 40-protocol 50-e2e 60-docs 70-fault 80-regress 90-slow)

set(BH_TEST_ENV "BOATHOUSE_BIN=${CMAKE_BINARY_DIR}/boathouse" "BOATHOUSE_BUILD=${CMAKE_BINARY_DIR}"
    "BOATHOUSE_ROOT=${CMAKE_SOURCE_DIR}" "BH_FLAVOUR=${BH_FLAVOUR}"
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1" "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1"
    "PYTHONDONTWRITEBYTECODE=1")
if(BH_RELEASE_BIN)
  list(APPEND BH_TEST_ENV "BH_RELEASE_BIN=${BH_RELEASE_BIN}")
endif()

# bh_wanted(<out> <label/name>): does BH_TEST_FILTER let this test through?
function(bh_wanted out name)
  if(BH_TEST_FILTER AND NOT name MATCHES "${BH_TEST_FILTER}")
    set(${out} OFF PARENT_SCOPE)
  else()
    set(${out} ON PARENT_SCOPE)
  endif()
endfunction()

# bh_describe_test(<name> <label>... ): environment, time limit, labels.
function(bh_describe_test name)
  set(limit 1500)
  if("90-slow" IN_LIST ARGN)
    set(limit 7200)
  endif()
  set_tests_properties("${name}" PROPERTIES LABELS "${ARGN}" ENVIRONMENT "${BH_TEST_ENV}" TIMEOUT ${limit}
                       WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
endfunction()

# bh_program(<target-out> <label> <source>): an executable for one file, linked by its includes.
function(bh_program out label source)
  get_filename_component(name "${source}" NAME_WE)
  set(target "${name}")
  if(TARGET "${target}")
    set(target "${label}_${name}")
  endif()
  add_executable("${target}" "${source}" ${ARGN})
  set_target_properties("${target}" PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/${label}"
                        OUTPUT_NAME "${name}")
  target_include_directories("${target}" PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/tests"
                             "${CMAKE_BINARY_DIR}/generated")
  target_compile_definitions("${target}" PRIVATE "BH_SOURCE_DIR=\"${CMAKE_SOURCE_DIR}\""
                             "BH_BUILD_DIR=\"${CMAKE_BINARY_DIR}\"")
  bh_included_folders(uses "${source}")
  # A unit test's name begins with its folder: linked even if the header comes through another.
  string(REGEX REPLACE "^(fuzz_)?([a-z]+)(_.*)?$" "\\2" folder "${name}")
  bh_link_folders("${target}" PRIVATE ${uses} ${folder} base)
  file(STRINGS "${source}" worker REGEX "^#[ \t]*include[ \t]+\"engine/worker/" LIMIT_COUNT 1)
  if(worker AND TARGET bh_engine_worker)
    target_link_libraries("${target}" PRIVATE bh_engine_worker)
  endif()
  target_link_libraries("${target}" PRIVATE bh_deps)
  set(${out} "${target}" PARENT_SCOPE)
endfunction()

file(GLOB harness_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/harness/*.c")
if(harness_sources)
  file(GLOB harness_headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/harness/*.h")
  add_library(bh_harness STATIC ${harness_sources})
  target_include_directories(bh_harness PUBLIC "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/tests"
                             "${CMAKE_BINARY_DIR}/generated")
  bh_included_folders(uses ${harness_sources} ${harness_headers})
  bh_link_folders(bh_harness PUBLIC ${uses} base)
  target_link_libraries(bh_harness PUBLIC bh_deps)
endif()

# `ninja tests-<label>` builds what the tests of one label run.
foreach(label IN LISTS BH_LABELS)
  add_custom_target("tests-${label}")
endforeach()

if(NOT BH_FLAVOUR STREQUAL "fuzz")
  foreach(label IN LISTS BH_LABELS)
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${label}/*.c")
    foreach(source IN LISTS sources)
      get_filename_component(name "${source}" NAME_WE)
      bh_wanted(wanted "${label}/${name}")
      if(wanted)
        bh_program(target "${label}" "${source}")
        target_link_libraries("${target}" PRIVATE cmocka)
        add_dependencies("tests-${label}" "${target}")
        add_test(NAME "${label}/${name}" COMMAND "${target}")
        string(REGEX REPLACE "_.*" "" folder "${name}")
        bh_describe_test("${label}/${name}" "${label}" "${folder}")
      endif()
    endforeach()
    file(GLOB scripts CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${label}/test_*.py")
    foreach(script IN LISTS scripts)
      get_filename_component(name "${script}" NAME_WE)
      bh_wanted(wanted "${label}/${name}")
      if(wanted)
        add_test(NAME "${label}/${name}"
                 COMMAND "${BH_CLIENT_PYTHON}" -m pytest -q -x -p no:cacheprovider "${script}")
        bh_describe_test("${label}/${name}" "${label}")
      endif()
    endforeach()
  endforeach()

  file(GLOB benches CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/bench/*.c")
  foreach(source IN LISTS benches)
    bh_program(target bench "${source}")
    set_target_properties("${target}" PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench")
  endforeach()
endif()

# Programs that Python tests run: tests/harness/<what>/<name>.c, built to tests/harness/<name>.
if(NOT BH_FLAVOUR STREQUAL "fuzz")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/harness/*/*.c")
  foreach(source IN LISTS sources)
    bh_program(target harness "${source}")
    add_dependencies(tests-20-format "${target}")
  endforeach()
endif()

# The dialect beside recorded answers of Spark: our own edge cases, and the oracle where it lies beside the checkout.
if(TARGET sqlcheck)
  set(oracle "${CMAKE_SOURCE_DIR}/../shared/oracle")
  add_test(NAME "20-format/sql_golden" COMMAND sqlcheck "${CMAKE_SOURCE_DIR}/tests/golden/sql_functions.jsonl" --min 100)
  add_test(NAME "20-format/sql_refused" COMMAND sqlcheck "${CMAKE_SOURCE_DIR}/tests/golden/sql_refused.jsonl" --min 100)
  add_test(NAME "20-format/sql_defined" COMMAND sqlcheck "${CMAKE_SOURCE_DIR}/tests/golden/sql_defined.jsonl" --min 100)
  add_test(NAME "20-format/sql_oracle_functions" COMMAND sqlcheck "${oracle}/spark_functions.jsonl" --min 99)
  foreach(set tpch tpcds)
    add_test(NAME "20-format/sql_oracle_${set}" COMMAND sqlcheck "${oracle}/${set}_sf001.jsonl" --data
                                                        "${oracle}/${set}_sf001_data" --min 90)
  endforeach()
  foreach(name golden refused oracle_functions oracle_tpch oracle_tpcds)
    bh_describe_test("20-format/sql_${name}" 20-format sql)
    set_tests_properties("20-format/sql_${name}" PROPERTIES SKIP_RETURN_CODE 77)
  endforeach()
endif()

file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
foreach(source IN LISTS sources)
  get_filename_component(name "${source}" NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" what "${name}")
  bh_wanted(wanted "fuzz/${what}")
  if(wanted AND BH_FLAVOUR STREQUAL "fuzz")
    bh_program(target fuzz "${source}")
    target_link_options("${target}" PRIVATE -fsanitize=fuzzer)
  elseif(wanted)
    bh_program(target fuzz "${source}" "${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c")
    add_dependencies(tests-20-format "${target}")
    add_test(NAME "fuzz/${what}" COMMAND "${target}" "${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${what}"
                                         "${CMAKE_SOURCE_DIR}/tests/fuzz/regression/${what}")
    bh_describe_test("fuzz/${what}" fuzz 20-format)
  endif()
endforeach()

# bh_check(<name> <argument>...): a check of the sources themselves, by a script in tools/.
function(bh_check name)
  add_test(NAME "60-docs/${name}" COMMAND /usr/bin/python3.11 ${ARGN})
  bh_describe_test("60-docs/${name}" 60-docs)
endfunction()
foreach(check check_includes check_sizes check_banned check_fresh lint_tables)
  if(EXISTS "${CMAKE_SOURCE_DIR}/tools/${check}.py")
    bh_check(${check} "${CMAKE_SOURCE_DIR}/tools/${check}.py")
  endif()
endforeach()
