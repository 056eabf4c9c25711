#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the subset of the integration tests and then those of test_systemd.py.

usage: guest.py [--bin DIR]

For any machine that has systemd, nothing but cgroup v2 and nothing to lose; run.sh makes one.
systemd has to know the processes that it is told of by their pids, so its tests cannot live in a
pid namespace as the others do. Here every skip is a failure.
"""
import argparse
import inspect
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
INTEGRATION = os.path.join(HERE, "../integration")
sys.path[:0] = [INTEGRATION, HERE]
sys.dont_write_bytecode = True

import run  # noqa: E402
import test_systemd  # noqa: E402


def subset():
    with open(HERE + "/subset.txt") as file:
        names = [line.strip() for line in file if line.strip() and line[0] != "#"]
    strange = [name for name in names if not run.find_tests([name])]
    if strange:
        sys.exit("guest.py: subset.txt names what is no test: " + " ".join(strange))
    return names


class SystemdSession(run.Session):
    """As run.py's, with containerds of another kind."""

    def containerd(self, oci):
        if oci not in self.daemons:
            self.daemons[oci] = test_systemd.SystemdContainerd(self.world, oci)
        return self.daemons[oci]


def run_systemd_tests(args):
    session = SystemdSession(run.World(args), keep=False)
    tests = [(name, test) for name, test in vars(test_systemd).items()
             if name.startswith("test_") and inspect.isfunction(test)]
    try:
        for oci in ("runc", "crun"):
            for name, test in tests:
                session.run("systemd.%s (%s)" % (name[5:], oci), test, oci)
    finally:
        session.close()
        shutil.rmtree(session.world.tmp, ignore_errors=True)
    print("\n%d passed, %d failed, %d skipped" % (session.passed, session.failed, session.skipped))
    return session.failed == 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("--bin", default="build/release/bin")
    args = parser.parse_args()
    began = time.monotonic()
    done = subprocess.run([sys.executable, INTEGRATION + "/run.py", "--bin", args.bin, "--strict",
                           *subset()], stdin=subprocess.DEVNULL)
    args.runtime, args.containerd, args.strict = run.OURS, "1.6", True
    good = run_systemd_tests(args) and done.returncode == 0
    print("%d s" % (time.monotonic() - began))
    if not good:
        subprocess.run(["journalctl", "--boot", "--no-pager", "--lines", "40", "--identifier", "systemd"])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
