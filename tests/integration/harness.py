# SPDX-License-Identifier: Apache-2.0
"""The small helpers that every test uses."""
import contextlib
import os
import subprocess
import time

import wire
from leftovers import processes


class Skip(Exception):
    """The test cannot run here; the text says why."""


def eventually(probe, what, timeout=15):
    """Polls until probe() is true and returns what it gave; `what` completes "waited for"."""
    end = time.monotonic() + timeout * wire.PATIENCE
    pause = 0.002
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("waited %g s for %s" % (timeout, what))
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def same(got, want, what):
    assert got == want, "%s: got %r, want %r" % (what, got, want)


def raises(code, call, *args, **options):
    """The call must fail with that gRPC code; returns the error."""
    try:
        answer = call(*args, **options)
    except wire.RpcError as error:
        assert error.code == code, "want code %d, got %s" % (code, error)
        return error
    raise AssertionError("want an error of code %d, got the answer %r" % (code, answer))


def gone(pid, what="process", timeout=15):
    """Waits until it is reaped: before that its threads may still hold its descriptors."""
    eventually(lambda: not os.path.exists("/proc/%d" % pid), "the end of %s %d" % (what, pid), timeout)


def shims():
    """pid -> argv of every shim that serves; not of start helpers."""
    return {pid: argv for pid, argv in processes().items()
            if argv and "containerd-shim" in os.path.basename(argv[0])
            and argv[-1] not in ("start", "delete")}


def shim_pid(container):
    for pid, argv in shims().items():
        if "-id" in argv and argv[argv.index("-id") + 1] == container:
            return pid
    return 0


def parent(pid):
    with open("/proc/%d/stat" % pid) as file:
        return int(file.read().rpartition(")")[2].split()[1])


def descriptors(pid):
    """fd -> what it leads to."""
    found = {}
    for name in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink("/proc/%d/fd/%s" % (pid, name))
    return found


class Result:
    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __repr__(self):
        return "%s\n  exit code %s\n  stdout: %s\n  stderr: %s" % (
            " ".join(self.argv), self.code, self.out[-2000:], self.err[-2000:])


def run(argv, input=None, timeout=30, check=False, **options):
    """Runs a command; output as text. With `check` a non-zero exit code is a failed test."""
    source = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace",
                              timeout=timeout * wire.PATIENCE, **source, **options)
    except subprocess.TimeoutExpired as late:
        raise AssertionError("%s did not end within %g s; stdout so far %r, stderr %r" % (
            " ".join(argv), timeout, late.stdout, late.stderr)) from None
    result = Result(argv, done.returncode, done.stdout, done.stderr)
    assert not check or result.code == 0, repr(result)
    return result


def check_clean(watch, timeout=10):
    """Fails with a list when something stays behind for that long."""
    found = []

    def clean():
        found[:] = watch.found()
        return not found

    with contextlib.suppress(AssertionError):
        eventually(clean, "cleanliness", timeout)
    assert not found, "left behind: " + "; ".join(found)


def sweep(watch):
    """Removes what is still there after some time of grace."""
    for _ in range(3):
        with contextlib.suppress(AssertionError):
            eventually(lambda: not watch.found(), "cleanliness", 1)
        watch.remove()


def any_oci(test):
    """Marks a test that is repeated with every OCI runtime."""
    test.any_oci = True
    return test


def ours_only(test):
    """Marks a test of what containerd's own shim does not do, or does wrong."""
    test.ours_only = True
    return test
