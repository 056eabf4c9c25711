#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that building, testing or running this project needs and that are
# missing. Says nothing and touches nothing when all are there. Never changes apt's configuration.
#
# usage: packages.sh GROUP...     groups: build, test, containers, vm
set -eu

packages_of() {
    case $1 in
    build) echo gcc libc6-dev cmake ninja-build libnng-dev libmbedtls-dev libprotobuf-c-dev \
        protobuf-c-compiler libjson-c-dev ;;
    test) echo python3 libcmocka-dev clang clang-tidy clang-format libclang-rt-dev golang-go \
        golang-github-containerd-ttrpc-dev file ;;
    containers) echo containerd runc crun busybox-static util-linux procps python3 ;;
    vm) echo qemu-system-x86 debootstrap e2fsprogs util-linux ;;
    *)
        echo "packages.sh: unknown group $1 (build, test, containers, vm)" >&2
        exit 2
        ;;
    esac
}

missing_of() {
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

wanted=
for group in "$@"; do
    wanted="$wanted $(packages_of "$group")"
done
missing=$(missing_of $wanted | sort -u | tr '\n' ' ')
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "packages.sh: this is no Debian system; please install what corresponds to: $missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "packages.sh: not root, and sudo wants a password; please run: apt-get install $missing" >&2
    exit 1
fi
echo "packages.sh: installing $missing"
export DEBIAN_FRONTEND=noninteractive
as_root apt-get -q update >/dev/null ||
    echo "packages.sh: apt-get update failed, trying with the lists there are" >&2
as_root apt-get -qq install -y --no-install-recommends $missing >/dev/null
