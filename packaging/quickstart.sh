#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows the shim at work: installs what is missing, builds, starts a containerd of its own (root,
# state and sockets in a temporary folder), and runs a container with it. Cleans up after itself.
# Without the privileges for containers it tells the same story with shimctl and the emulated
# provider, which isolates nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/build/release/bin
namespace=quickstart-$$
image=quickstart.local/busybox:1
work=
daemon=
listener=
total=6

step() {
    number=$((${number:-0} + 1))
    printf '\n[%d/%d] %s\n' "$number" "$total" "$1"
}

# Shows a command as a person would type it, then runs it; what it prints is indented.
show() {
    printf '      $ %s\n' "$1"
    shift
    "$@" 2>&1 | sed 's/^/      /'
}

die() {
    printf 'quickstart: %s\n' "$1" >&2
    exit 1
}

# await SECONDS COMMAND...: polls until the command succeeds.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# Not by substitution: a shell of its own would hold the pid under which it waits.
ctr() { command ctr -a "$work/c.sock" -n "$namespace" "$@"; }

task_gone() { [ -z "$(ctr tasks ls -q | grep -x "$1")" ]; }
task_stopped() { ctr tasks ls | grep -q "^$1 .*STOPPED"; }

remove_container() {
    ctr tasks kill -s SIGKILL "$1" || true
    await 10 task_stopped "$1" || true
    ctr tasks delete "$1" || true
    ctr containers delete "$1" || true
}

# A shim ends by itself, but may try for some seconds to get rid of its last events.
shims_gone() { ! grep -qsaF "$work" /proc/[0-9]*/cmdline; }

clean_up() {
    local container
    if [ -n "$daemon" ]; then
        for container in $(ctr containers ls -q 2>/dev/null); do
            remove_container "$container" >/dev/null 2>&1
        done
        [ -z "$listener" ] || kill "$listener" 2>/dev/null || true
        kill "$daemon" 2>/dev/null || true
        wait 2>/dev/null || true
    fi
    find /sys/fs/cgroup -maxdepth 2 -type d -name "$namespace" -exec rmdir {} \; 2>/dev/null || true
    if [ -n "$work" ]; then
        await 30 shims_gone || printf 'quickstart: processes of %s are still there\n' "$work" >&2
        rm -rf --one-file-system "$work"
    fi
}

build() {
    step "Building (what is missing of the compiler and libraries is installed first)"
    tests/setup/packages.sh build || die "cannot build without these packages"
    mkdir -p build
    if ! { cmake --preset release -DSHIM_TESTS=OFF && cmake --build --preset release; } >build/quickstart.log 2>&1; then
        tail -n 30 build/quickstart.log >&2
        die "the build failed; all of its output is in build/quickstart.log"
    fi
    printf '      %s, version %s\n' "${bin#"$PWD"/}/containerd-shim-hcs-v1" \
        "$("$bin/containerd-shim-hcs-v1" -v | awk '/Version/ { print $2 }')"
}

can_run_containers() {
    [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null && [ -e /sys/fs/cgroup ] &&
        tests/setup/packages.sh containers &&
        command -v containerd >/dev/null && [ -n "$(busybox_path)" ]
}

busybox_path() {
    local path
    for path in /bin/busybox /usr/bin/busybox; do
        [ ! -x "$path" ] || { echo "$path" && return; }
    done
}

# --- with containerd ---------------------------------------------------------------------------

# An image archive as `docker save` writes it: one layer with busybox.
make_image() {
    local layer
    mkdir -p "$work/image/root/bin" "$work/image/root/proc" "$work/image/root/tmp"
    cp "$(busybox_path)" "$work/image/root/bin/busybox"
    for applet in $("$(busybox_path)" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$work/image/root/bin/$applet"
    done
    tar -C "$work/image/root" --owner=0 --group=0 -cf "$work/image/layer.tar" .
    layer=$(sha256sum "$work/image/layer.tar" | cut -d' ' -f1)
    cat >"$work/image/config.json" <<JSON
{"architecture": "$(dpkg --print-architecture)", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
JSON
    cat >"$work/image/manifest.json" <<JSON
[{"Config": "config.json", "RepoTags": ["$image"], "Layers": ["layer.tar"]}]
JSON
    tar -C "$work/image" -cf "$work/image.tar" manifest.json config.json layer.tar
}

start_containerd() {
    cat >"$work/config.toml" <<TOML
version = 2
root = "$work/root"
state = "$work/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri",
    "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]
[grpc]
address = "$work/c.sock"
TOML
    PATH=$bin:$PATH containerd --config "$work/config.toml" >"$work/containerd.log" 2>&1 &
    daemon=$!
    await 20 ctr version || { tail "$work/containerd.log" >&2 && die "containerd does not answer"; }
    ctr images import "$work/image.tar" >/dev/null
    ctr events >"$work/events" 2>/dev/null &
    listener=$!
    await 20 listens || die "ctr events does not listen"
}

listens() {
    ctr namespaces label "$namespace" "mark=$SECONDS$RANDOM"
    grep -q namespaces/update "$work/events"
}

# The pid of the shim that serves a container: the process whose arguments name both.
shim_of() {
    local file
    for file in /proc/[0-9]*/cmdline; do
        if tr '\0' ' ' <"$file" 2>/dev/null | grep -q "^[^ ]*containerd-shim.* -namespace $namespace .*-id $1 "; then
            file=${file%/cmdline}
            echo "${file#/proc/}"
            return
        fi
    done
}

kilobytes() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/smaps_rollup"; }

memory_of() { # LABEL CONTAINER
    local pid
    pid=$(shim_of "$2")
    [ -n "$pid" ] || die "found no shim of container $2"
    printf '      %-24s %8s kB %8s kB %6s\n' "$1" "$(kilobytes "$pid" Rss)" "$(kilobytes "$pid" Pss)" \
        "$(awk '/^Threads/ { print $2 }' "/proc/$pid/status")"
}

with_containerd() {
    local runtime=io.containerd.hcs.v1 forever
    forever=(sh -c 'trap "exit 0" TERM; while :; do sleep 1; done')

    step "Starting a private containerd and importing a busybox image"
    make_image
    start_containerd
    printf '      %s\n' "$(containerd --version | cut -d' ' -f1-3)"

    step "Running a container"
    show "ctr run --rm --runtime $runtime busybox hello echo 'Hello from a container'" \
        ctr run --rm --runtime "$runtime" "$image" hello echo 'Hello from a container'

    step "A second one in the background, and one more process in it"
    show "ctr run -d --runtime $runtime busybox demo sh -c …" \
        ctr run -d --null-io --runtime "$runtime" "$image" demo "${forever[@]}"
    show "ctr tasks exec --exec-id look demo ps" ctr tasks exec --exec-id look demo ps

    step "Memory of one shim with one container, beside containerd's own shim"
    if ctr run -d --null-io --runtime io.containerd.runc.v2 "$image" other "${forever[@]}" 2>"$work/other"; then
        printf '      %-24s %11s %11s %6s\n' '' resident proportional threads
        memory_of containerd-shim-hcs-v1 demo
        memory_of containerd-shim-runc-v2 other
        remove_container other >/dev/null 2>&1
    else
        memory_of containerd-shim-hcs-v1 demo
        printf '      containerd-shim-runc-v2 does not run here: %s\n' "$(tail -n 1 "$work/other")"
    fi

    step "The events of that container's life"
    remove_container demo >/dev/null 2>&1
    await 10 grep -q '/tasks/delete .*"demo"' "$work/events" || die "the delete event is missing"
    grep '/tasks/.*"demo"' "$work/events" | sed -E 's|.* (/tasks/[a-z-]+) (\{.*\})$|      \1 \2|' |
        cut -c 1-120
    task_gone demo || die "the task is still there"
}

# --- without privileges ------------------------------------------------------------------------

with_emulation() {
    local shimctl=("$bin/shimctl" --shim "$bin/containerd-shim-hcs-v1" --state "$work/state"
        --provider emulated)
    export XDG_RUNTIME_DIR=$work

    printf '\n      No privileges (or programs) for containers here, so this goes on with shimctl and the\n'
    printf '      emulated provider: same shim, same protocol, plain processes, NO ISOLATION.\n'
    step "Running a process"
    show "shimctl --provider emulated run --rm --rootfs / hello echo 'Hello without a container'" \
        "${shimctl[@]}" run --rm --rootfs / hello echo 'Hello without a container'

    step "A second one in the background, and one more process beside it"
    show "shimctl run -d --rootfs / demo sleep 100" "${shimctl[@]}" run -d --rootfs / demo sleep 100
    show "shimctl exec demo sh -c 'echo an exec'" "${shimctl[@]}" exec demo sh -c 'echo an exec'
    show "shimctl ps demo" "${shimctl[@]}" ps demo

    step "What the shim knows"
    show "shimctl state demo" "${shimctl[@]}" state demo

    step "Its end, with the events of a whole life"
    show "shimctl delete --force demo" "${shimctl[@]}" delete --force demo
    show "shimctl run --rm --events --rootfs / bye true" \
        "${shimctl[@]}" run --rm --events --rootfs / bye true
}

trap clean_up EXIT
trap 'exit 130' INT TERM
work=$(mktemp -d /tmp/qsXXXXXX)
build
if can_run_containers; then
    with_containerd
else
    total=5
    with_emulation
fi
printf '\nThat was it; what was started is being taken away again.\n'
