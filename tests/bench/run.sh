#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures our shim against containerd's own, with the same OCI runtime, and prints one table.
#
# usage: tests/bench/run.sh [--quick] [BUILD_DIR]
#   --quick     fewer rounds of everything (two minutes instead of a quarter of an hour)
#   BUILD_DIR   a configured build folder; default: build/release, made by the preset of that name
# BENCH_OCI names the OCI runtime (default runc), BENCH_PEER the other shim's program, BENCH_ONLY the
# parts to run (start,container,execs_without_runtime,stdio,many).
# Needs root, a C compiler, python3, busybox-static, containerd's shim and the OCI runtime.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..

quick=()
if [ "${1-}" = --quick ]; then
    quick=(--quick)
    shift
fi
build=${1-}
if [ -z "$build" ]; then
    build=$top/build/release
    (cd "$top" && cmake --preset release -DSHIM_TESTS=OFF) >&2
fi
cmake --build "$build" --target containerd-shim-hcs-v1 >&2
for name in driver runtime; do
    "${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra -o "$build/bench-$name" "$here/$name.c"
done

[ "$(id -u)" = 0 ] || { echo "run.sh: containers need root" >&2; exit 1; }
# First in line for the processors, both shims alike: other work on the machine disturbs less.
exec nice -n -20 unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
    python3 "$here/bench.py" "${quick[@]}" --only "${BENCH_ONLY:-all}" \
    --oci "${BENCH_OCI:-runc}" --peer "${BENCH_PEER:-containerd-shim-runc-v2}" \
    --driver "$build/bench-driver" "$build/bin/containerd-shim-hcs-v1"
