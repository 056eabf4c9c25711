#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a tree that anyone may clone must not say: paths of the machine it was written on, hosts it
# was built with, work left for later, numbers of somebody's tracker. Prints each line that does.
#
# usage: tests/checks/words.sh [FOLDER]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"

# Hosts that readers need, which are those of projects that ours works with.
hosts='github\.com|google\.golang\.org|www\.apache\.org|docker\.io|k8s\.io|node\.k8s\.io'
hosts+='|types\.containerd\.io|type\.googleapis\.com|quickstart\.local'
host='([A-Za-z0-9-]+\.)+(com|org|net|io|dev|cloud|internal|local|lan|corp)'

files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z
    else
        find . -type f -not -path './build/*' -printf '%P\0'
    fi | grep -zvE '(^|/)(LICENSE|corpus/.*)$'
}

find_lines() { files | xargs -0 -r grep -InHE "$@" || true; }

bad=0
complain() { # WHAT, lines on standard input
    while IFS= read -r line; do
        printf '%s: %s\n' "$1" "$line"
        bad=1
    done
}

complain 'path of one machine' < <(find_lines '(^|[^A-Za-z0-9._%/-])/(work|tmp/w|home/[a-z]+)/')
complain 'left for later' < <(find_lines '\b(TO[D]O|FI[X]ME|XX[X]|HA[C]K)\b')
complain 'number of a tracker' < <(find_lines \
    '(^|[[:space:]([/])#[0-9]+\b|\b([Ii]ssue|[Pp]ull|PR|[Bb]ug)s? #?[0-9]+\b')
complain 'unknown host' < <(find_lines "https?://[A-Za-z0-9]|(^|[\"' =])$host(:[0-9]+)?/" |
    grep -vE "(https?://|[\"' =:])($hosts)/")

exit "$bad"
