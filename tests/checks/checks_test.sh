#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The checks can fail: a small tree with one violation of each rule has every one of them named.
set -euo pipefail
checks=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

write() { # FILE LINE
    mkdir -p "$tree/$(dirname "$1")"
    printf '%s\n' "$2" >"$tree/$1"
}

wrong=0
expect() { # CHECK FILE: the check names the file
    grep -q "\(^\|[ ]\)$2:1:" <<<"$("$checks/$1" "$tree" || true)" || {
        echo "$1 does not see what is wrong in $2"
        wrong=1
    }
}

expect_clean() { # CHECK
    "$checks/$1" "$tree" || {
        echo "$1 sees something wrong in a good tree"
        wrong=1
    }
}

write base/good.c '#include "base/good.h"'
write base/posix/good.c '#include <sys/stat.h>'
write shim/good.c '#include "ttrpc/server.h"'
write hcs/linux/good.c '#include "base/posix/loop.h"'
write docs/good.md 'See https://github.com/containerd/containerd, and /network/of/paths.'
expect_clean layers.sh
expect_clean words.sh

write base/up.c '#include "ttrpc/server.h"'
write ttrpc/across.c '# include "oci/spec.h"'
write oci/up.c '#include "shim/task.h"'
write hcs/library.c '#include <nng/nng.h>'
write shim/library.c '#include <nng/nng.h>'
write shim/system.c '#include <unistd.h>'
write shim/platform.c '#include "shim/posix/logger.h"'
write hcs/asks.c '#ifdef _WIN32'
for file in base/up.c ttrpc/across.c oci/up.c hcs/library.c shim/library.c shim/system.c \
    shim/platform.c hcs/asks.c; do
    expect layers.sh "$file"
done

write docs/path.md "built in /wor""k/main"
write docs/later.c "/* TO""DO: later */"
write docs/tracker.md "see issue"" 12"
write docs/host.md "get it from http:/""/mirror.example.net/pool"
write docs/image.md "image: registry"".example.net:5000/busybox"
for file in path.md later.c tracker.md host.md image.md; do
    expect words.sh "docs/$file"
done
exit "$wrong"
