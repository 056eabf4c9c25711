#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests of subset.txt and test_systemd.py on a machine with systemd and nothing but
# cgroup v2: a Debian 12 under qemu's software emulation, whatever this machine is. Its root file
# system is made once and kept in the user's cache; binaries and tests travel on a second disk,
# and so do log and exit code back.
#
# usage: tests/vm/run.sh [--strict] [BIN_DIR]        (default: build/release/bin)
# What it cannot do here it says, and ends well; with --strict or SHIM_TEST_STRICT it fails then.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

strict=${SHIM_TEST_STRICT:-}
[ "${1:-}" != --strict ] || { strict=1 && shift; }
bin=${1:-$top/build/release/bin}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/containerd-shim-hcs/vm
limit_s=900 # the tests themselves; on two cores they take a third of that
boot_s=120  # what the machine may take besides

say() { printf 'vm: %s\n' "$*"; }

skip() {
    say "skipped: $*"
    say "0 passed, 0 failed, 1 skipped"
    [ -z "$strict" ] || exit 1
    exit 0
}

# The tools, or a reason to skip.
prepare() {
    [ "$(uname -m)" = x86_64 ] || skip "the machine is made for x86_64 only"
    "$top/tests/setup/packages.sh" vm || skip "qemu or debootstrap is missing"
}

# Sets `machine` to the folder with root.img, vmlinuz and initrd.
find_machine() {
    machine=$cache/$(sha256sum "$here/root.sh" | cut -c 1-16)
    [ ! -f "$machine/root.img" ] || return 0
    [ "$(id -u)" = 0 ] || skip "making the root file system needs root"
    say "making the root file system, once, in $machine"
    mkdir -p "$cache"
    "$here/root.sh" "$machine" >"$work/root.log" 2>&1 </dev/null || {
        tail -n 30 "$work/root.log"
        say "the root file system could not be made"
        exit 1
    }
}

# The second disk: what to run, with what.
make_disk() {
    local disk=$work/disk

    mkdir -p "$disk/bin" "$disk/tests"
    cp "$bin/containerd-shim-hcs-v1" "$bin/shimctl" "$disk/bin/"
    cp -r "$top/tests/integration" "$top/tests/setup" "$top/tests/vm" "$disk/tests/"
    install -m 755 "$here/start.sh" "$disk/start"
    echo "$limit_s" >"$disk/limit"
    mke2fs -q -t ext4 -O ^has_journal -d "$disk" "$work/disk.img" 64M >/dev/null
}

# The root file system stays as it is: what is written to it goes with the machine. Programs that
# find AVX use it, and emulating that costs more than they gain.
boot() {
    TMPDIR=$work timeout -k 5 $((limit_s + boot_s)) qemu-system-x86_64 \
        -accel tcg -cpu max,-avx,-avx2 -smp 2 -m 1536 -nodefaults -no-reboot -display none -nic none \
        -kernel "$machine/vmlinuz" -initrd "$machine/initrd" \
        -append "root=/dev/vda console=ttyS0 loglevel=4 panic=-1 mitigations=off systemd.show_status=0" \
        -drive "file=$machine/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
        -drive "file=$work/disk.img,format=raw,if=virtio,cache=unsafe" \
        -serial "file:$work/console" </dev/null
}

# From the second disk to stdout.
fetch() {
    debugfs -R "cat /$1" "$work/disk.img" 2>/dev/null
}

report() {
    local code

    fetch log
    code=$(fetch exit-code)
    if [ -z "$code" ]; then
        say "the machine ended without a result; the end of its console:"
        tail -n 60 "$work/console" | tr -d '\r'
        exit 1
    fi
    exit "$code"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/shim-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
[ -x "$bin/containerd-shim-hcs-v1" ] || { say "no shim in $bin" && exit 1; }
prepare
find_machine
make_disk
began=$SECONDS
boot || say "qemu ended with code $?"
say "the machine ran for $((SECONDS - began)) s"
report
