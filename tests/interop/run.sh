#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our ttrpc against Go's (github.com/containerd/ttrpc as Debian packages it), both directions.
# Usage: run.sh BUILD_DIR. Prints a line for each case, then "N passed, N failed".
set -u

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
packages=/usr/share/gocode

skip() {
    echo "skipped: $1"
    [ -z "${SHIM_TEST_STRICT:-}" ] || exit 1
    exit 77
}
command -v go >/dev/null || skip "needs go (golang-go)"
[ -d $packages/src/github.com/containerd/ttrpc ] ||
    skip "needs Go's ttrpc (golang-github-containerd-ttrpc-dev)"

dir=$(mktemp -d)
server_pid=
cleanup() {
    [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT

export GO111MODULE=off GOPATH=$packages GOCACHE=${GOCACHE:-$build/go-cache} GOFLAGS=
for program in client server; do
    (cd "$here/go/$program" && go build -o "$dir/go-$program" .) || exit 1
done

# direction SERVER CLIENT: starts the one, lets the other call it.
direction() {
    local socket=$dir/s ready=
    rm -f "$socket"
    mkfifo "$dir/ready"
    "$1" "$socket" >"$dir/ready" &
    server_pid=$!
    read -r -t 10 ready <"$dir/ready"
    rm "$dir/ready"
    if [ "$ready" != ready ]; then
        echo "FAIL $1 does not serve"
        return
    fi
    timeout 120 "$2" "$socket" "$server_pid" || [ $? -eq 1 ] || echo "FAIL $2 ended with $?"
    wait "$server_pid" || echo "FAIL $1 ended with $?"
    server_pid=
}

{
    direction "$build/tests/interop_server" "$dir/go-client"
    direction "$dir/go-server" "$build/tests/interop_client"
} >"$dir/out" 2>&1
cat "$dir/out"
passed=$(grep -c '^pass ' "$dir/out")
failed=$(grep -c '^FAIL ' "$dir/out")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
