#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs clang-tidy (see .clang-tidy) over our sources; whatever it finds is an error.
#
# usage: tests/checks/tidy.sh BUILD_DIR [FILE...]
#   BUILD_DIR  built with clang and CMAKE_EXPORT_COMPILE_COMMANDS=ON
#   FILE       instead of all sources of base, ttrpc, oci, hcs and shim
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: tests/checks/tidy.sh BUILD_DIR [FILE...]}
shift
[ -f "$build/compile_commands.json" ] || {
    echo "tidy.sh: no compile_commands.json in $build" >&2
    exit 2
}
for tidy in clang-tidy-14 clang-tidy ''; do
    [ -n "$tidy" ] || { echo 'tidy.sh: no clang-tidy' >&2; exit 2; }
    ! command -v "$tidy" >/dev/null || break
done

# One source at a time: clang-tidy 14 mistakes every va_list from the second source on.
tidy_one() { # TIDY BUILD FILE
    local facts=(--extra-arg=-include "--extra-arg=$PWD/tests/checks/tidy.h")
    case $3 in base/error.c | hcs/hresult.c) facts=() ;; esac # what tidy.h wraps is defined there
    "$1" --quiet -p "$2" "${facts[@]}" "$3" 2> >(grep -v ' warnings\? generated' >&2)
}
export -f tidy_one

# What this build compiles, without what it generated.
our_sources() {
    sed -nE "s#^ *\"file\": \"$PWD/((base|ttrpc|oci|hcs|shim)/.*)\",?\$#\1#p" \
        "$build/compile_commands.json" | sort -u
}

if [ $# -gt 0 ]; then printf '%s\n' "$@"; else our_sources; fi |
    xargs -d '\n' -n 1 -P "$(nproc)" bash -c 'tidy_one "$0" "$1" "$2"' "$tidy" "$build"
