#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the project and runs its tests, stage by stage; a stage that fails does not stop the next.
# Output of each stage goes to build/logs/STAGE.log; of a failed one the end is shown here too.
#
# usage: tests/run.sh [--strict | --quick] [STAGE...]
#   default    dev build, release build, unit tests, integration tests with the packaged containerd
#   --strict   all of it: sanitizers, clang, style checks, newer containerds, the cgroup v2 machine;
#              a skipped test counts as a failure
#   --quick    release build, its unit tests and the shortest integration tests
# The last line is "N passed, N failed, N skipped"; the exit code is 0 when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
top=$PWD
logs=$top/build/logs
mode=default
jobs=$(nproc)

passed=0 failed=0 skipped=0 summary=()

say() { printf '%s\n' "$*"; }

# Adds up what the test runners of one log say about themselves.
count_log() {
    awk '
        /tests passed, [0-9]+ tests? failed out of/ {
            for (i = 1; i <= NF; i++)
                if ($i == "passed,") { bad += $(i + 1); good += $NF - $(i + 1) }
        }
        /\*\*\*Skipped/ && /Test +#/ { lost++; good-- }
        /^([a-z0-9.-]+: )?[0-9]+ passed, [0-9]+ failed/ {
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) good += $(i - 1)
                if ($i ~ /^failed/) bad += $(i - 1)
                if ($i ~ /^skipped/) lost += $(i - 1)
            }
        }
        END { printf "%d %d %d\n", good, bad, lost }' "$1"
}

# stage NAME COMMAND...: runs it, times it, counts what it tested (itself, when it counts nothing).
stage() {
    local name=$1 log=$logs/$1.log began=$SECONDS rc=0 good bad lost verdict=ok
    shift
    wanted "$name" || return 0
    "$@" </dev/null >"$log" 2>&1 || rc=$?
    read -r good bad lost < <(count_log "$log")
    [ "$mode" != strict ] || { bad=$((bad + lost)) lost=0; }
    if [ "$rc" != 0 ] && [ "$bad" = 0 ]; then
        bad=1
    elif [ $((good + bad + lost)) = 0 ]; then
        good=1
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + lost))
    [ "$bad" = 0 ] || verdict=FAILED
    printf -v line '%-8s %-22s %5d s   %4d passed %3d failed %3d skipped' \
        "$verdict" "$name" $((SECONDS - began)) "$good" "$bad" "$lost"
    summary+=("$line")
    say "$line"
    [ "$bad" = 0 ] || show_failure "$log"
    return "$rc"
}

# What failed in the integration tests, then how the log ends.
show_failure() {
    { grep -a -A 20 '^FAILED' "$1" | grep -av '^ok ' | head -n 150; tail -n 60 "$1"; } |
        cut -c 1-500 | sed 's/^/    | /'
}

only=()
wanted() {
    local name
    [ ${#only[@]} != 0 ] || return 0
    for name in "${only[@]}"; do
        [ "$name" != "$1" ] || return 0
    done
    return 1
}

build() { # PRESET [CMAKE_ARG...]
    local preset=$1
    shift
    cmake --preset "$preset" -DSHIM_TESTS=ON "$@" && cmake --build "build/$preset" -j "$jobs"
}

unit_tests() { # FOLDER [WRAPPER...]
    local folder=$1
    shift
    "$@" ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$jobs"
}

# gcc 12's thread sanitizer does not know the address layouts of newer kernels.
tsan_tests() {
    TSAN_OPTIONS=suppressions=$top/tests/integration/tsan.supp unit_tests build/tsan setarch -R
}
tsan_integration() { SHIM_TEST_SLOW=5 setarch -R python3 tests/integration/run.py --bin build/tsan/bin "$@"; }
asan_integration() { SHIM_TEST_SLOW=2 python3 tests/integration/run.py --bin build/asan/bin "$@"; }

clang_build() {
    CC=clang cmake -S . -B build/clang -G Ninja -DCMAKE_BUILD_TYPE=Debug \
        -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DCMAKE_EXPORT_COMPILE_COMMANDS=ON &&
        cmake --build build/clang -j "$jobs"
}

tidy_check() { tests/checks/tidy.sh build/clang; }

# Each fuzzer for a short while from its corpus; long hunts are a person's to start.
fuzz_seconds=${SHIM_FUZZ_SECONDS:-15}
fuzz_run() {
    local name names=() rc=0
    for name in tests/fuzz/*_fuzz.c; do
        name=${name##*/}
        names+=("${name%_fuzz.c}")
    done
    CC=clang cmake -S . -B build/fuzz -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSHIM_FUZZ=ON \
        -DSHIM_SANITIZE=address,undefined &&
        cmake --build build/fuzz -j "$jobs" --target "${names[@]/#/fuzz_}" || return 1
    for name in "${names[@]}"; do
        fuzz_one "$name" &
        [ "$(jobs -pr | wc -l)" -lt "$jobs" ] || wait -n || rc=1
    done
    while [ -n "$(jobs -pr)" ]; do wait -n || rc=1; done
    return "$rc"
}
fuzz_one() { # NAME
    local found rc=0
    found=$(mktemp -d)
    "build/fuzz/fuzz/fuzz_$1" -max_total_time="$fuzz_seconds" -artifact_prefix="$logs/fuzz-$1-" \
        -print_final_stats=1 "$found" "tests/fuzz/corpus/$1" >"$logs/fuzz-$1.log" 2>&1 || rc=1
    rm -rf "$found"
    [ "$rc" = 0 ] || tail -n 40 "$logs/fuzz-$1.log"
    echo "${1//_/-}: $((1 - rc)) passed, $rc failed"
    return "$rc"
}

c_files() { git ls-files '*.c' '*.h'; }

format_check() { c_files | xargs -r clang-format --dry-run --Werror; }

script_check() { git ls-files '*.sh' .ci/run | xargs -r -n1 bash -n; }

install_check() {
    local root
    root=$(mktemp -d) || return 1
    DESTDIR=$root cmake --install build/release --prefix /usr &&
        (cd "$root" && find . -type f -o -type l) | sort &&
        [ -x "$root/usr/bin/containerd-shim-hcs-v1" ] && [ -x "$root/usr/bin/shimctl" ]
    local rc=$?
    rm -rf "$root"
    return "$rc"
}

integration() { # ARG...
    python3 tests/integration/run.py --bin build/release/bin "$@"
}

run_stages() {
    stage packages tests/setup/packages.sh build test containers || true
    if [ "$mode" != quick ]; then
        stage dev-build build dev && stage dev-tests unit_tests build/dev
    fi
    stage release-build build release && release_stages
    [ "$mode" = strict ] || return 0
    stage format format_check
    stage scripts script_check
    stage clang-build clang_build && stage tidy tidy_check
    stage fuzz fuzz_run
    if stage asan-build build asan; then
        stage asan-tests unit_tests build/asan
        stage asan-integration asan_integration --strict --oci runc
    fi
    if stage tsan-build build tsan; then
        stage tsan-tests tsan_tests
        stage tsan-integration tsan_integration --strict --oci runc
    fi
    [ ! -x tests/vm/run.sh ] || stage vm tests/vm/run.sh
}

# What needs the binaries that are installed in the end.
release_stages() {
    stage release-tests unit_tests build/release
    case $mode in
    quick) stage integration integration test_run test_start ;;
    default) stage integration integration --containerd 1.6 ;;
    strict)
        stage install install_check
        stage integration-1.6 integration --strict --containerd 1.6
        stage integration-1.7 integration --strict --containerd 1.7
        stage integration-2 integration --strict --containerd 2
        ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
    --strict) mode=strict ;;
    --quick) mode=quick ;;
    -h | --help)
        sed -n '3,12s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    -*)
        say "run.sh: unknown option $1" >&2
        exit 2
        ;;
    *) only+=("$1") ;;
    esac
    shift
done

[ "$mode" != strict ] || export SHIM_TEST_STRICT=1
mkdir -p "$logs"
run_stages
say
printf '%s\n' "${summary[@]}"
say "total: ${SECONDS} s, logs in build/logs"
say
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
