# SPDX-License-Identifier: Apache-2.0
"""Compares our shim with containerd's own; run.sh says how it is started and in which namespaces.

Everything is measured for both shims by turns (ABAB…), so that what else happens on the machine
hits both. Times are taken in driver.c, memory is read from /proc.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from side import Driver, Memory, Side, World, request  # noqa: E402
import image  # noqa: E402
import wire  # noqa: E402
from direct import Output  # noqa: E402
from table import Table  # noqa: E402

SETTLE_S = 2  # before memory is looked at
PARTS = ("start", "container", "execs_without_runtime", "stdio", "many")  # methods of Bench
STATE_CHUNK, EXEC_CHUNK = 500, 10  # calls before it is the other's turn


class Plan:
    """How often everything is done."""

    def __init__(self, quick):
        self.starts = 20 if quick else 100
        self.states = 5000 if quick else 50000
        self.execs = (200, 1000) if quick else (1000, 10000)
        self.timed_execs = 200 if quick else 1000
        self.stdio_runs = 2 if quick else 5
        self.stdio_mb = 1024 if quick else 4096
        self.shims = 20 if quick else 100
        self.shim_rounds = 1 if quick else 3


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


class Bench:
    """The measurements; sides is (ours, the peer)."""

    def __init__(self, sides, driver, plan, table):
        self.sides, self.driver, self.plan, self.table = sides, driver, plan, table
        self.writer = ["dd", "if=/dev/zero", "bs=64k", "count=%d" % (plan.stdio_mb * 16)]

    def start(self):
        say("start: %d of each" % self.plan.starts)
        took = {side: [] for side in self.sides}
        for i in range(self.plan.starts):
            for side in self.sides:
                ns, addresses = side.start_batch(["s%d" % i])
                took[side].append(ns)
                side.end_batch(addresses)
        self.table.ratio("start, median", "ms",
                         [ms(statistics.median(took[side])) for side in self.sides], 0.30)

    def memory(self, when, pids):
        """Adds the rows for one point in time; returns what was seen."""
        time.sleep(SETTLE_S)
        ours, peer = seen = [Memory(pid) for pid in pids]
        self.table.ratio("RSS, " + when, "kB", (ours.rss, peer.rss))
        self.table.ratio("PSS, " + when, "kB", (ours.pss, peer.pss), 0.25)
        self.table.ratio("anonymous, " + when, "kB", (ours.anonymous, peer.anonymous), 0.25)
        self.table.limit("threads, %s (nng's: %d)" % (when, ours.threads - ours.own_threads), "",
                         (ours.threads, peer.threads), ours.threads - ours.own_threads + 4)
        return seen

    def container(self):
        """One shim of each kind: idle, with a container, State, execs, growth."""
        shims = [side.start_batch(["c"])[1]["c"] for side in self.sides]
        pids = [side.pids()["c"] for side in self.sides]
        self.memory("idle", pids)
        clients = [side.run_container("c", shim) for side, shim in zip(self.sides, shims)]
        self.memory("one container", pids)
        self.state(shims)
        self.execs(shims, pids)
        for side, client in zip(self.sides, clients):
            side.end_container("c", client)

    def execs_without_runtime(self):
        """The shims' share of an exec, with an OCI runtime that takes next to no time."""
        shims = [side.start_batch(["q"])[1]["q"] for side in self.sides]
        clients = [side.run_container("q", shim, options=side.options(binary_name=side.stand_in()))
                   for side, shim in zip(self.sides, shims)]
        self.timed_execs("q", shims, self.sides[1].stand_in())
        for side, client in zip(self.sides, clients):
            side.end_container("q", client)

    def state(self, shims):
        say("State: %d of each" % self.plan.states)
        took = [[], []]
        state = [request("State", wire.encode("State", {"id": "c"}))]
        for _ in range(self.plan.states // STATE_CHUNK):
            for i, shim in enumerate(shims):
                took[i] += self.driver.times("call", shim, STATE_CHUNK, requests=state)
        self.table.ratio("State, median", "µs",
                         [statistics.median(times) / 1e3 for times in took], 0.65)
        self.table.ratio("State, p99", "µs", [percentile(t, 99) / 1e3 for t in took])

    def execs(self, shims, pids):
        first, last = self.plan.execs
        say("execs: %d of each" % last)
        self.timed_execs("c", shims, self.sides[1].world.find(self.sides[1].oci))
        self.more_execs(shims, first - self.plan.timed_execs)
        before = self.memory("after %d execs" % first, pids)
        self.more_execs(shims, last - first)
        after = self.memory("after %d execs" % last, pids)
        for name, grown in (
                ("anonymous", [a.anonymous - b.anonymous for a, b in zip(after, before)]),
                ("RSS", [a.rss - b.rss for a, b in zip(after, before)])):
            self.table.limit("%s growth, exec %d to %d" % (name, first, last), "kB", grown, 64)

    def timed_execs(self, container, shims, runtime):
        """Interleaved with the OCI runtime alone, whose time is then taken off. Lower quartiles,
        because the runtime's time varies by more than what is left."""
        took, alone = [[], []], []
        pid_file, argv = self.sides[1].oci_exec(runtime, container, "true")
        for _ in range(self.plan.timed_execs // EXEC_CHUNK):
            for i, side in enumerate(self.sides):
                took[i] += self.driver.times("call", shims[i], EXEC_CHUNK,
                                             requests=side.exec_requests(container, "true"))
            alone += self.driver.times("oci", EXEC_CHUNK, pid_file, *argv, env=self.sides[1].env)
        name, own = os.path.basename(runtime), ms(percentile(alone, 25))
        totals = [ms(percentile(t, 25)) for t in took]
        self.table.ratio("exec with %s, lower quartile" % name, "ms", totals)
        self.table.ratio("  without the %.1f ms it takes alone" % own, "ms",
                         [total - own for total in totals], 0.5)

    def more_execs(self, shims, count):
        while count > 0:
            chunk = min(count, 200)  # a log FIFO nobody reads could fill up
            for i, side in enumerate(self.sides):
                self.driver.run("call", shims[i], chunk, requests=side.exec_requests("c", "true"))
                side.log("c")
            count -= chunk
            if count % 2000 == 0:
                say("%d execs to go" % count)

    def stdio(self):
        say("stdio: %d times %d MB of each" % (self.plan.stdio_runs, self.plan.stdio_mb))
        rates, alone = [[], []], []
        for i in range(self.plan.stdio_runs):
            for j, side in enumerate(self.sides):
                rates[j].append(self.stdio_once(side, "io%d" % i))
            alone.append(self.stdio_alone("alone%d" % i))
        self.table.ratio("stdio (%.0f without a shim)" % statistics.median(alone), "MB/s",
                         [statistics.median(rate) for rate in rates], 2.0, more=True)

    def stdio_once(self, side, container):
        _, shims = side.start_batch([container], self.writer)
        fifo = side.dir + "/io/" + container
        stderr = Output(fifo + "-stderr")  # the peer refuses to go without
        reader = self.reader(fifo)
        client = side.run_container(container, shims[container],
                                    {"stdin": "", "stdout": fifo, "stderr": stderr.path})
        rate = self.rate(reader)
        side.end_container(container, client, kill=False)
        return rate

    def stdio_alone(self, name):
        """The same writer and reader with nothing but the FIFO between them."""
        fifo = self.sides[0].dir + "/io/" + name
        reader = self.reader(fifo)
        with open(fifo, "wb") as out:
            subprocess.check_call([image.BUSYBOX, *self.writer], stdout=out,
                                  stderr=subprocess.DEVNULL)
        return self.rate(reader)

    def reader(self, fifo):
        os.mkfifo(fifo)
        return self.driver.spawn("drain", fifo)

    def rate(self, reader):
        """MB/s that came out of the FIFO."""
        out, _ = reader.communicate()
        got, ns = map(int, out.split())
        if got != self.plan.stdio_mb << 20:
            sys.exit("bench: only %d bytes came through" % got)
        return got / ns * 1e3

    def many(self):
        count = self.plan.shims
        say("%d shims at once, %d times" % (count, self.plan.shim_rounds))
        started, pss, ended = ([[], []] for _ in range(3))
        for i in range(self.plan.shim_rounds):
            for j, side in enumerate(self.sides):
                ns, shims = side.start_batch(["m%d-%d" % (i, k) for k in range(count)])
                time.sleep(SETTLE_S)
                started[j].append(ms(ns))
                pss[j].append(sum(Memory(pid).pss for pid in side.pids().values()))
                ended[j].append(ms(side.end_batch(shims)))
        for name, unit, values, aim in (
                ("start all", "ms", started, 0.30), ("PSS of all", "kB", pss, 0.25),
                ("end all", "ms", ended, None)):
            self.table.ratio("%d shims: %s" % (count, name), unit,
                             [statistics.median(value) for value in values], aim)


def ms(ns):
    return ns / 1e6


def percentile(values, percent):
    return sorted(values)[len(values) * percent // 100]


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("shim", help="our shim's program")
    parser.add_argument("--driver", required=True, help="the compiled driver.c")
    parser.add_argument("--peer", default="containerd-shim-runc-v2")
    parser.add_argument("--oci", default="runc")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="all", help="comma-separated, of: " + ",".join(PARTS))
    return parser.parse_args()


def measure(args, tmp):
    rootfs = tmp + "/rootfs"
    image.make_rootfs(rootfs)
    driver, table = Driver(os.path.abspath(args.driver)), Table()
    programs = (os.path.abspath(args.shim), World.find(args.peer))
    sides = [Side(name, World(tmp, program, rootfs), driver, args.oci)
             for name, program in zip(("ours", "peer"), programs)]
    bench = Bench(sides, driver, Plan(args.quick), table)
    try:
        for part in PARTS if args.only == "all" else args.only.split(","):
            getattr(bench, part)()
    finally:
        for side in sides:
            side.close()
    table.show(*map(os.path.basename, programs), args.oci)


def main():
    """In a child: the first process of a pid namespace is there to reap."""
    args = parse()
    child = os.fork()
    if child:
        while True:
            pid, status = os.wait()
            if pid == child:
                return os.waitstatus_to_exitcode(status)
    os.makedirs("/run/containerd", exist_ok=True)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "mode=755", "bench", "/run/containerd"])
    tmp = tempfile.mkdtemp(prefix="b", dir="/run/containerd")  # where bundles are: memory, not disk
    try:
        measure(args, tmp)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
