#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the integration tests.

usage: run.py [--bin DIR] [--runtime NAME] [--containerd 1.6|1.7|2] [--oci runc|crun|both]
              [--strict] [--list] [--keep] [THEME | THEME.TEST]...

Tests live in pid and mount namespaces of their own, so that what a test leaves behind can be seen
and cannot reach the machine. A test is a function test_* of a test_*.py; the names of its
parameters say what it needs (see Session.fixture). A skip is a failure with --strict. The variable
SHIM_TEST_SLOW multiplies all time limits.
"""
import argparse
import importlib
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import image  # noqa: E402
from containerd import Containerd  # noqa: E402
from direct import Direct  # noqa: E402
from harness import Skip  # noqa: E402

OURS = "io.containerd.hcs.v1"
INSIDE = "SHIM_TEST_INSIDE"


class World:
    """What the tests run against, the same for all of them."""

    def __init__(self, args):
        self.runtime = args.runtime
        self.ours = args.runtime == OURS
        self.version = args.containerd
        self.strict = args.strict
        self.containerd_bin = subprocess.check_output(
            [HERE + "/../setup/containerd.sh", args.containerd], text=True).strip()
        program = "containerd-shim-" + "-".join(args.runtime.split(".")[-2:])
        folder = os.path.abspath(args.bin) if self.ours else self.containerd_bin
        self.shim = "%s/%s" % (folder, program)
        if not os.access(self.shim, os.X_OK):
            sys.exit("run.py: no shim at %s" % self.shim)
        self.tmp = tempfile.mkdtemp(prefix="st", dir="/tmp")
        os.chmod(self.tmp, 0o755)
        # Where a shim built with sanitizers leaves its reports; others ignore the variables.
        self.reports = self.tmp + "/reports"
        os.mkdir(self.reports)
        os.chmod(self.reports, 0o777)
        self.shim_env = {name + "_OPTIONS": "log_path=%s/%s:%s" % (self.reports, name.lower(), more)
                         for name, more in (("ASAN", "detect_leaks=1"), ("UBSAN", "print_stacktrace=1"),
                                            ("TSAN", "suppressions=%s/tsan.supp" % HERE))}
        os.environ.update(self.shim_env)
        self.rootfs = self.tmp + "/rootfs"
        self.archive = self.tmp + "/image.tar"
        image.make_rootfs(self.rootfs)
        image.make_archive(self.rootfs, self.archive)

    def find(self, program):
        """The installed program's path; without it the test is skipped."""
        found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")
        if not found:
            raise Skip("%s is not installed" % program)
        return found

    def check_reports(self):
        """Fails with what the sanitizers found since the last time."""
        texts = []
        for name in sorted(os.listdir(self.reports)):
            with open("%s/%s" % (self.reports, name), errors="replace") as file:
                texts.append(file.read())
            os.unlink("%s/%s" % (self.reports, name))
        assert not texts, "sanitizer: " + "\n".join(texts)[:6000]

    def private_mounts(self):
        """What to put before a command that leads to crun, which takes the mere presence of a
        cgroup v2 mount beside the v1 ones for a pure v2 system."""
        unified = "/sys/fs/cgroup/unified"
        if not os.path.ismount(unified):
            return []
        return [self.find("unshare"), "-m", "--propagation", "private", "/bin/sh", "-c",
                '%s %s && exec "$@"' % (self.find("umount"), unified), "sh"]

    def runtime_flags(self, oci):
        """What ctr must be told for that OCI runtime; our shim finds it on its PATH."""
        return [] if self.ours else ["--runc-binary", oci]


class Session:
    """Fixtures, kept as long as they are of use, and the tally."""

    def __init__(self, world, keep):
        self.world, self.keep = world, keep
        self.daemons = {}
        self.passed = self.failed = self.skipped = 0

    def containerd(self, oci):
        if oci not in self.daemons:
            self.daemons[oci] = Containerd(self.world, oci)
        return self.daemons[oci]

    def fixture(self, name, oci, undo):
        """The value of a test's parameter. `undo` gets what must happen after the test."""
        if name == "world":
            return self.world
        if os.geteuid() != 0 and name != "emulated":
            raise Skip("containers need root")
        if name == "cd":
            for other in [o for o in self.daemons if o != oci]:
                self.daemons.pop(other).close()
            containerd = self.containerd(oci)
            undo.append((containerd.check_clean, containerd.sweep, lambda: None))
            return containerd
        if name in ("direct", "crun_direct", "emulated", "rootless"):
            for other in list(self.daemons):
                self.daemons.pop(other).close()
            direct = Direct.of(self.world, name)
            undo.append((direct.check_clean, direct.sweep, direct.close))
            return direct
        raise KeyError("no fixture %s" % name)

    def run(self, label, test, oci):
        began = time.monotonic()
        undo, why = [], None
        try:
            args = {name: self.fixture(name, oci, undo)
                    for name in inspect.signature(test).parameters}
            if getattr(test, "ours_only", False) and not self.world.ours:
                raise Skip("not a behaviour of %s" % self.world.runtime)
            test(**args)
            for check, _, _ in undo:
                check()
            self.world.check_reports()
        except Skip as skip:
            why = str(skip)
            self.failed += self.world.strict
            self.skipped += not self.world.strict
            self.say("FAILED" if self.world.strict else "skipped", label, began, why)
        except Exception:
            self.failed += 1
            self.say("FAILED", label, began)
            self.explain(*sys.exc_info())
            for _, clean, _ in undo:
                clean()
        else:
            self.passed += 1
            self.say("ok", label, began)
        if not self.keep:
            for _, _, close in undo:
                close()

    @staticmethod
    def explain(kind, error, trace):
        for frame in traceback.extract_tb(trace)[1:]:
            print("    %s:%d %s" % (os.path.basename(frame.filename), frame.lineno, frame.line))
        name = "" if kind is AssertionError else kind.__name__ + ": "
        print("    " + (name + str(error)).replace("\n", "\n    "), flush=True)

    @staticmethod
    def say(verdict, label, began, why=""):
        print("%-7s %-72s %5.1f s %s" % (verdict, label, time.monotonic() - began, why), flush=True)

    def close(self):
        for daemon in self.daemons.values():
            daemon.close()


def find_tests(wanted):
    """(theme, name, function) in order of file and line, of those that are wanted."""
    themes = sorted(f[:-3] for f in os.listdir(HERE) if f.startswith("test_") and f.endswith(".py"))
    found = []
    for theme in themes:
        module = importlib.import_module(theme)
        for name, function in vars(module).items():
            if name.startswith("test_") and inspect.isfunction(function):
                if not wanted or theme in wanted or "%s.%s" % (theme, name) in wanted:
                    found.append((theme, name, function))
    return found


def plan(tests, oci, version):
    """(label, function, oci), grouped so that a containerd is started once for each OCI runtime."""
    # The packaged crun refuses the ociVersion that newer containerds write.
    runtimes = [oci] if oci != "both" else ["runc", "crun"] if version == "1.6" else ["runc"]
    tests = sorted(tests, key=lambda test: "cd" not in inspect.signature(test[2]).parameters)
    for runtime in runtimes:
        for theme, name, function in tests:
            uses_cd = "cd" in inspect.signature(function).parameters
            if runtime != runtimes[0] and not (uses_cd and getattr(function, "any_oci", False)):
                continue
            if version != "1.6" and not uses_cd:  # no containerd takes part, once is enough
                continue
            suffix = " (%s, %s)" % (version, runtime) if uses_cd else ""
            yield "%s.%s%s" % (theme[5:], name[5:], suffix), function, runtime


def inside(args):
    """The tests themselves, in the new namespaces."""
    if os.geteuid() == 0:
        os.makedirs("/run/containerd", exist_ok=True)
        subprocess.check_call(["mount", "-t", "tmpfs", "-o", "mode=755", "tests", "/run/containerd"])
    session = Session(World(args), args.keep)
    try:
        for label, function, oci in plan(find_tests(args.tests), args.oci, args.containerd):
            session.run(label, function, oci)
    finally:
        session.close()
        if not args.keep:
            shutil.rmtree(session.world.tmp, ignore_errors=True)
    print("\n%d passed, %d failed, %d skipped" % (session.passed, session.failed, session.skipped))
    return 0 if session.failed == 0 and session.passed else 1


def reap_until_end_of(child):
    """What the first process of a pid namespace is for."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--runtime", default=OURS)
    parser.add_argument("--containerd", default="1.6")
    parser.add_argument("--oci", default="both", choices=["runc", "crun", "both"])
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the tests' folders")
    parser.add_argument("tests", nargs="*")
    args = parser.parse_args()
    if args.list:
        for theme, name, _ in find_tests(args.tests):
            print("%s.%s" % (theme, name))
        return 0
    if os.geteuid() == 0 and INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child",
                              "--mount-proc", "--propagation", "private", sys.executable] + sys.argv)
    if os.getpid() == 1:
        child = os.fork()
        if child:
            return reap_until_end_of(child)
    return inside(args)


if __name__ == "__main__":
    sys.exit(main())
