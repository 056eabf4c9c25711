#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the machine of the cgroup v2 tests: OUT/root.img (a Debian 12 system that runs /tests/start
# from a second disk and powers off), OUT/vmlinuz and OUT/initrd. Needs root for debootstrap. This
# file is the whole recipe: run.sh keeps what it makes for as long as the file does not change.
#
# usage: root.sh OUT
set -eu

out=${1:?usage: root.sh OUT}
suite=bookworm
packages=systemd-sysv,udev,dbus,linux-image-cloud-amd64,zstd,containerd,runc,crun,busybox-static,python3

# debootstrap mounts /proc below the new root; nobody else needs to see that.
if [ -z "${SHIM_VM_PRIVATE_MOUNTS:-}" ]; then
    SHIM_VM_PRIVATE_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
fi

# This machine's own source of Debian packages, or else debootstrap's default.
mirror_of() {
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [ -f "$file" ] || continue
        sed -n -e 's/^URIs: *\([^ ]*\/debian\/\{0,1\}\)\( .*\)\{0,1\}$/\1/p' \
            -e 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\/debian\/\{0,1\}\) .*/\2/p' "$file"
    done | head -n 1
}

# Only what the tests need starts; a package's own daemon would only be in the way.
set_up() {
    etc=$1/etc
    echo shim-tests >"$etc/hostname"
    cat >"$etc/fstab" <<'FSTAB'
/dev/vda / ext4 rw,noatime 0 0
/dev/vdb /tests ext4 rw,noatime 0 0
FSTAB
    mkdir "$1/tests"
    cat >"$etc/systemd/system/shim-tests.service" <<'UNIT'
[Unit]
Description=The tests on the second disk
RequiresMountsFor=/tests
After=dbus.service
Wants=dbus.service
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/tests/start
StandardOutput=tty
TTYPath=/dev/ttyS0
UNIT
    ln -s ../shim-tests.service "$etc/systemd/system/multi-user.target.wants/shim-tests.service"
    for unit in containerd.service getty@tty1.service serial-getty@ttyS0.service \
        apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
        e2scrub_reap.service fstrim.timer systemd-pstore.service; do
        ln -sf /dev/null "$etc/systemd/system/$unit"
    done
}

work=$out.tmp.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"

# shellcheck disable=SC2046 # no word when there is no mirror
debootstrap --variant=minbase --include="$packages" "$suite" "$work/root" $(mirror_of)
set_up "$work/root"
chroot "$work/root" apt-get clean
rm -rf "$work/root/var/lib/apt/lists" "$work/root/usr/share/doc" "$work/root/usr/share/locale"
mv "$work/root/boot"/vmlinuz-* "$work/vmlinuz"
mv "$work/root/boot"/initrd.img-* "$work/initrd"
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -d "$work/root" "$work/root.img" 2G >/dev/null
rm -rf "$work/root"
rm -rf "$out"
mv "$work" "$out"
