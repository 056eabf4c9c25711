# SPDX-License-Identifier: Apache-2.0
"""One of the two shims being compared: starts it, drives it, looks at its memory."""
import os
import re
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))

import wire  # noqa: E402
from direct import NULL_IO, Direct  # noqa: E402
from harness import gone  # noqa: E402


class World:
    """What Direct wants to know about its surroundings."""

    def __init__(self, tmp, shim, rootfs):
        self.tmp, self.rootfs = tmp, rootfs
        self.ours, self.shim_env = True, {}
        # A copy, or shims that others run from the same file would share its pages with ours.
        self.shim = os.path.join(tmp, os.path.basename(shim))
        shutil.copy(shim, self.shim)

    @staticmethod
    def find(program):
        found = shutil.which(program)
        if not found:
            sys.exit("bench: %s is not installed" % program)
        return found

    @staticmethod
    def private_mounts():
        return []


class Driver:
    """The C program that does what is timed."""

    def __init__(self, path):
        self.path = path

    def run(self, *args, requests=(), **options):
        stdin = b"".join(struct.pack(">I", len(data)) + data for data in requests)
        done = subprocess.run([self.path, *map(str, args)], input=stdin, capture_output=True,
                              **options)
        if done.returncode:
            sys.exit("bench: driver %s: %s" % (args, done.stderr.decode(errors="replace")))
        return done.stdout.decode().splitlines()

    def times(self, *args, **options):
        return [int(line) for line in self.run(*args, **options)]

    def spawn(self, *args):
        return subprocess.Popen([self.path, *map(str, args)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, text=True)


class Sink:
    """The Events endpoint, in place of Direct's own, which is slower than a shim."""

    def __init__(self, driver, path):
        self.process = driver.spawn("sink", path)
        self.process.stdout.readline()
        self.path = path

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        os.unlink(self.path)


class Side(Direct):
    """A shim's program, with folders and an Events endpoint of its own."""

    def __init__(self, name, world, driver, oci):
        super().__init__(world, oci)
        self.name, self.driver = name, driver
        self.sink.close()
        self.sink = Sink(driver, self.sink.path)
        self.batch = 0

    def bundle_path(self, container):
        return "%s/b/%d/%s" % (self.dir, self.batch, container)

    def start_batch(self, containers, args=("sleep", "100000")):
        """Starts a shim for each container, all at once; returns (ns, {container: address})."""
        self.batch += 1
        for container in containers:
            self.bundle(container, args)
        lines = self.driver.run("start", os.path.dirname(self.bundle_path("x")), self.world.shim,
                                *self.flags("@"), "start", env=self.env)
        return int(lines[0]), dict(line.split(" ", 1) for line in lines[1:])

    def pids(self):
        """container -> pid of its daemon, for those that live."""
        found = {}
        for pid in self.shim_pids():
            with open("/proc/%d/cmdline" % pid) as file:
                argv = file.read().split("\0")
            found[argv[argv.index("-id") + 1]] = pid
        return found

    def end_batch(self, addresses):
        """Tells these shims to end, all at once; returns ns until all have."""
        pids = self.pids()
        args = [word for name, address in addresses.items() for word in (pids[name], address)]
        shutdown = wire.encode("Shutdown", {"id": self.name})
        ns = self.driver.times("end", *args, requests=[request("Shutdown", shutdown)])[0]
        for container in addresses:
            os.close(self.logs.pop(container)[0])
        return ns

    def run_container(self, container, address, io=NULL_IO, options=None):
        """Create and Start in a shim that start_batch() has started; returns the client."""
        client = self.connect(address)
        client.call("Create", dict({"id": container, "bundle": self.bundle_path(container),
                                    "rootfs": self.rootfs(),
                                    "options": options or self.options()}, **io))
        client.call("Start", {"id": container})
        return client

    def end_container(self, container, client, kill=True):
        """Kill, unless it ends by itself; Wait, Delete, Shutdown, and the end of the shim."""
        pid = self.pids()[container]
        if kill:
            client.call("Kill", {"id": container, "signal": 9})
        client.call("Wait", {"id": container})
        self.remove(client, container)
        gone(pid, "shim")
        self.clients.remove(client)
        client.close()
        os.close(self.logs.pop(container)[0])

    def exec_requests(self, container, *args):
        """The calls that make one exec and wait for its end."""
        ids = {"id": container, "exec_id": "e"}
        spec = dict(ids, spec=self.exec_spec(*args), **NULL_IO)
        return [request("Exec", wire.encode("Exec", spec))] + [
            request(method, wire.encode(method, ids)) for method in ("Start", "Wait", "Delete")]

    def stand_in(self):
        """The program of runtime.c, with the OCI runtime in the place where it looks for it."""
        path = self.dir + "/bin/stand-in"
        if not os.path.exists(path):
            shutil.copy(os.path.dirname(self.driver.path) + "/bench-runtime", path)
            os.symlink(self.world.find(self.oci), path + ".real")
        return path

    def oci_exec(self, runtime, container, *args):
        """(pid file, command line) by which both shims have the OCI runtime make an exec."""
        process, pid_file = self.dir + "/process.json", self.dir + "/pid"
        with open(process, "wb") as file:
            file.write(self.exec_spec(*args)["value"])
        return pid_file, [
            runtime, "--root", "%s/%s" % (self.root, self.namespace),
            "--log", self.dir + "/log.json", "--log-format", "json",
            "exec", "--process", process, "--detach", "--pid-file", pid_file, container]


def request(method, payload):
    """The data of a ttrpc request frame."""
    return wire.encode("Request", {"service": wire.TASK_V2, "method": method, "payload": payload})


class Memory:
    """What a process holds, in kB, and its threads."""

    def __init__(self, pid):
        with open("/proc/%d/smaps_rollup" % pid) as file:
            sizes = dict(re.findall(r"^(\w+): +(\d+) kB", file.read(), re.M))
        self.rss, self.pss = int(sizes["Rss"]), int(sizes["Pss"])
        self.anonymous = int(sizes["Anonymous"])
        names = []
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/comm" % (pid, task)) as file:
                names.append(file.read().strip())
        self.threads = len(names)
        self.own_threads = sum(1 for name in names if not name.startswith("nng:"))
