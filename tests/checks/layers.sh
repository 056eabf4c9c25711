#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Arrows between the rooms run downward only, and what only one operating system has stays in the
# folders for it (docs/architecture.md). Looks at includes and #if lines; prints each that is wrong.
#
# usage: tests/checks/layers.sh [FOLDER]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

# Room, our rooms that it may include, libraries that it may include.
rooms='
base   base                     -
ttrpc  base|ttrpc               nng|protobuf-c
oci    base|oci                 json-c
hcs    base|hcs                 json-c
shim   base|ttrpc|oci|hcs|shim  json-c|protobuf-c
'

# What every C library has, mingw-w64's included.
portable='assert|ctype|errno|float|inttypes|limits|math|stdalign|stdarg|stdatomic|stdbool|stddef'
portable+='|stdint|stdio|stdlib|stdnoreturn|string|strings|time|wchar'

# Files outside the operating systems' folders that include more than that, and why they may.
exceptions='
base/thread.h:pthread.h         winpthreads has it on Windows
ttrpc/frame.h:sys/types.h       ssize_t, which mingw-w64 has there as well
shim/ctl/launch.c:unistd.h      environ, which mingw-w64 declares in stdlib.h
'

bad=0
complain() {
    echo "$1"
    bad=1
}

is_platform() { [[ $1 =~ /(posix|linux|windows)/ ]]; }

check_own() { # FILE LINE ROOM OURS HEADER
    [[ $5 =~ ^($4)/ ]] || complain "$1:$2: $3/ must not include $5"
    ! is_platform "$5" || is_platform "$1" ||
        complain "$1:$2: $5 belongs to one operating system and this file to all"
}

check_foreign() { # FILE LINE ROOM LIBRARIES HEADER
    if [[ $5 =~ ^(nng|protobuf-c|json-c)/ ]]; then
        [[ $5 =~ ^($4)/ ]] || complain "$1:$2: $3/ must not include $5"
    elif ! is_platform "$1" && ! [[ $5 =~ ^($portable)\.h$ ]] &&
        ! grep -q "^$1:$5 " <<<"$exceptions"; then
        complain "$1:$2: $5 is not everywhere: move its use to posix/ or linux/"
    fi
}

while read -r room ours libraries; do
    [ -d "$room" ] || continue
    while IFS=: read -r file line include; do
        header=${include#*[<\"]}
        header=${header%%[>\"]*}
        case $include in
        *\<*) check_foreign "$file" "$line" "$room" "$libraries" "$header" ;;
        *) check_own "$file" "$line" "$room" "$ours" "$header" ;;
        esac
    done < <(grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' "$room" | sort)
done < <(grep -v '^$' <<<"$rooms")

systems='_WIN32|_WIN64|__MINGW|__CYGWIN__|_MSC_VER|__linux|__unix|__APPLE__|__FreeBSD__'
while IFS=: read -r file line text; do
    complain "$file:$line: only base/ may ask which system this is: $text"
done < <(for room in ttrpc oci hcs shim; do [ ! -d $room ] || echo $room; done | xargs -r \
    grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*(el)?if.*($systems)")

exit "$bad"
