# SPDX-License-Identifier: Apache-2.0
# The one helper file: compiler flags, libraries, and what a module, a test and a fuzz target are.

add_library(shim_flags INTERFACE)
target_compile_features(shim_flags INTERFACE c_std_11)
target_compile_options(shim_flags INTERFACE -Wall -Wextra -Wshadow -Wformat=2 -Wvla
    -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wno-sign-conversion
    $<$<C_COMPILER_ID:Clang>:-Wthread-safety>
    -ffunction-sections -fdata-sections)
target_compile_definitions(shim_flags INTERFACE _GNU_SOURCE SHIM_VERSION="${PROJECT_VERSION}")
target_include_directories(shim_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_link_options(shim_flags INTERFACE -Wl,--gc-sections)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT SHIM_SANITIZE)
    target_compile_options(shim_flags INTERFACE -fstack-protector-strong)
    target_compile_definitions(shim_flags INTERFACE _FORTIFY_SOURCE=2)
    target_link_options(shim_flags INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()
if(SHIM_SANITIZE)
    target_compile_options(shim_flags INTERFACE -fsanitize=${SHIM_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=undefined)
    target_link_options(shim_flags INTERFACE -fsanitize=${SHIM_SANITIZE})
endif()

if(SHIM_FUZZ)
    target_compile_options(shim_flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(shim_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# The packages' own CMake files differ between distributions and name only the shared library,
# so all three are looked up the same plain way.
function(shim_find_library target header static_extra)
    set(names ${ARGN})
    set(found)
    if(SHIM_STATIC_LIBS)
        list(TRANSFORM names PREPEND lib OUTPUT_VARIABLE archives)
        list(TRANSFORM archives APPEND .a)
        find_library(${target}_LIBRARY NAMES ${archives} REQUIRED)
    else()
        find_library(${target}_LIBRARY NAMES ${names} REQUIRED)
    endif()
    find_path(${target}_INCLUDE NAMES ${header} REQUIRED)
    add_library(${target} INTERFACE)
    target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE})
    target_link_libraries(${target} INTERFACE ${${target}_LIBRARY} Threads::Threads)
    if(SHIM_STATIC_LIBS)
        foreach(extra IN LISTS static_extra)
            find_library(${target}_${extra}_LIBRARY NAMES lib${extra}.a)
            if(${target}_${extra}_LIBRARY)
                target_link_libraries(${target} INTERFACE ${${target}_${extra}_LIBRARY})
            endif()
        endforeach()
    endif()
endfunction()
shim_find_library(lib_nng nng/nng.h "mbedtls;mbedx509;mbedcrypto" nng)
shim_find_library(lib_protobuf_c protobuf-c/protobuf-c.h "" protobuf-c)
shim_find_library(lib_json_c json-c/json.h "" json-c)
find_program(PROTOC_C NAMES protoc-c REQUIRED)

# shim_module(NAME SOURCES a.c ... DEPS base lib_nng ...): a static library of one room.
function(shim_module name)
    cmake_parse_arguments(M "" "" "SOURCES;DEPS" ${ARGN})
    add_library(${name} STATIC ${M_SOURCES})
    target_link_libraries(${name} PUBLIC shim_flags Threads::Threads ${M_DEPS})
endfunction()

# shim_protos(NAME a.proto ...): messages generated with protobuf-c, included as "<dir>/a.pb-c.h"
# from the project's build root. Generated code is held to no warnings of ours.
function(shim_protos name)
    set(sources)
    file(RELATIVE_PATH dir ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    foreach(proto IN LISTS ARGN)
        string(REPLACE ".proto" ".pb-c" stem ${proto})
        add_custom_command(
            OUTPUT ${PROJECT_BINARY_DIR}/${dir}/${stem}.c ${PROJECT_BINARY_DIR}/${dir}/${stem}.h
            COMMAND ${PROTOC_C} -I${PROJECT_SOURCE_DIR} -I${lib_protobuf_c_INCLUDE}
                    --c_out=${PROJECT_BINARY_DIR} ${dir}/${proto}
            DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
            WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
        list(APPEND sources ${PROJECT_BINARY_DIR}/${dir}/${stem}.c
             ${PROJECT_BINARY_DIR}/${dir}/${stem}.h)
    endforeach()
    add_library(${name} STATIC ${sources})
    target_compile_options(${name} PRIVATE -w)
    target_link_libraries(${name} PUBLIC shim_flags lib_protobuf_c)
endfunction()

# shim_test(ROOM NAME [DEPS ...]): tests/unit/ROOM/NAME_test.c becomes ctest "unit.ROOM.NAME".
# Sub-folders are spelled with a slash: shim_test(hcs linux/runtime).
function(shim_test room name)
    cmake_parse_arguments(T "" "TIMEOUT" "DEPS" ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 30)
    endif()
    string(REPLACE "/" "_" flat ${name})
    string(REPLACE "/" "." dotted ${name})
    set(target test_${room}_${flat})
    add_executable(${target} ${PROJECT_SOURCE_DIR}/tests/unit/${room}/${name}_test.c)
    target_link_libraries(${target} PRIVATE ${room} ${T_DEPS} lib_cmocka)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_test(NAME unit.${room}.${dotted} COMMAND ${target})
    set_tests_properties(unit.${room}.${dotted} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS unit)
endfunction()

# shim_fuzz(NAME DEPS ...): tests/fuzz/NAME_fuzz.c with LLVMFuzzerTestOneInput. With SHIM_FUZZ it is
# a libFuzzer binary; always a program that replays tests/fuzz/corpus/NAME, run by ctest.
function(shim_fuzz name)
    cmake_parse_arguments(F "" "" "DEPS" ${ARGN})
    add_executable(fuzz_replay_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}_fuzz.c
                   ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    target_link_libraries(fuzz_replay_${name} PRIVATE ${F_DEPS})
    set_target_properties(fuzz_replay_${name} PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_test(NAME fuzz.${name}
             COMMAND fuzz_replay_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 60 LABELS fuzz)
    if(SHIM_FUZZ)
        add_executable(fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}_fuzz.c)
        target_link_libraries(fuzz_${name} PRIVATE ${F_DEPS})
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        set_target_properties(fuzz_${name} PROPERTIES
                              RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    endif()
endfunction()

if(SHIM_TESTS AND BUILD_TESTING)
    find_library(cmocka_LIBRARY NAMES cmocka REQUIRED)
    find_path(cmocka_INCLUDE NAMES cmocka.h REQUIRED)
    add_library(lib_cmocka INTERFACE)
    target_include_directories(lib_cmocka SYSTEM INTERFACE ${cmocka_INCLUDE})
    target_link_libraries(lib_cmocka INTERFACE ${cmocka_LIBRARY})
endif()
