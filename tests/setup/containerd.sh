#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Brings one generation of containerd (containerd, ctr, containerd-shim-runc-v2) and prints the
# folder with its binaries. 1.6 is the installed one; the newer ones are unpacked from Debian's
# newer suites into a cache, beside the system and never over it. Uses this machine's own apt
# source with only the suite's name changed, and nothing when the cache is filled already.
#
# usage: containerd.sh 1.6|1.7|2 [CACHE_DIR]
set -eu

version=${1:?usage: containerd.sh 1.6|1.7|2 [CACHE_DIR]}
cache=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/containerd-shim-hcs/containerd}

case $version in
1.6)
    dirname "$(command -v containerd)"
    exit 0
    ;;
1.7) suite=trixie ;;
2) suite=sid ;;
*)
    echo "containerd.sh: unknown version $version (1.6, 1.7, 2)" >&2
    exit 2
    ;;
esac

bin=$cache/$version/usr/bin
if [ -x "$bin/containerd" ]; then
    echo "$bin"
    exit 0
fi

work=$cache/$version.tmp.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/root"

# Only the first stanza or line of the distribution itself, so that -updates and -security, which
# the newer suites may not have, stay out.
sources=/etc/apt/sources.list.d/debian.sources
if [ -f "$sources" ]; then
    list=$work/suite.sources
    sed '/^$/q' "$sources" | sed "s/^Suites:.*/Suites: $suite/" >"$list"
else
    list=$work/suite.list
    sed -n "s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) [^ ]* .*/deb \1\2 $suite main/p" \
        /etc/apt/sources.list | head -n 1 >"$list"
fi
if ! [ -s "$list" ]; then
    echo "containerd.sh: found no apt source of this machine to take containerd $version from" >&2
    exit 1
fi

apt() {
    command=$1
    shift
    "$command" -q -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User= "$@" >&2
}
(
    cd "$work"
    apt apt-get update
    apt apt-get download containerd
    dpkg -x containerd_*.deb root
)
if ! "$work/root/usr/bin/containerd" --version >&2; then
    echo "containerd.sh: containerd of $suite does not run on this system" >&2
    exit 1
fi
rm -rf "${cache:?}/$version"
mv "$work/root" "$cache/$version"
echo "$bin"
