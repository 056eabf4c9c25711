# SPDX-License-Identifier: Apache-2.0
"""A private containerd and its ctr."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import image
import wire
from harness import check_clean, eventually, run, shims, sweep
from leftovers import Watch, alive

DISABLED = ["io.containerd." + name for name in (
    "grpc.v1.cri", "cri.v1.images", "cri.v1.runtime", "nri.v1.nri", "internal.v1.opt",
    "internal.v1.tracing", "snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.aufs",
    "snapshotter.v1.devmapper", "snapshotter.v1.blockfile", "snapshotter.v1.erofs")]


class Events:
    """`ctr events` in the background, parsed."""

    LINE = re.compile(r" (\S+) (/\S+) (\{.*\})$")

    def __init__(self, containerd):
        self.seen = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(containerd.command("events"), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        mark = 0
        def subscribed():  # `ctr events` does not say when it listens
            nonlocal mark
            mark += 1
            containerd.ctr("namespaces", "label", containerd.namespace, "mark=%d" % mark)
            return any(topic == "/namespaces/update" for topic, _ in self.seen)
        eventually(subscribed, "ctr events to listen")

    def _read(self):
        for line in self.process.stdout:
            match = self.LINE.search(line)
            if match:
                with self.changed:
                    self.seen.append((match.group(2), json.loads(match.group(3))))
                    self.changed.notify_all()

    def of(self, container):
        """(topic without /tasks/, event) of one container, in order."""
        with self.changed:
            return [(topic.removeprefix("/tasks/"), event) for topic, event in self.seen
                    if topic.startswith("/tasks/") and event.get("container_id") == container]

    def wait(self, container, topic, count=1, timeout=15):
        def enough():
            return sum(1 for t, _ in self.of(container) if t == topic) >= count
        eventually(enough, "%d %s event(s) of %s; seen: %s" % (
            count, topic, container, [t for t, _ in self.of(container)]), timeout)
        return self.of(container)

    def topics(self, container):
        return [topic for topic, _ in self.of(container)]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Containerd:
    """A containerd with everything of its own below one short folder.

    `oci` is the only OCI runtime on its PATH, so a shim that is told nothing must find that one.
    """

    def __init__(self, world, oci):
        self.world = world
        self.oci = oci
        self.dir = tempfile.mkdtemp(prefix="cd", dir=world.tmp)
        self.namespace = os.path.basename(self.dir).replace("_", "-").strip("-")
        self.state = self.dir + "/state"
        self.address = self.dir + "/c.sock"
        self.tasks = "%s/io.containerd.runtime.v2.task/%s" % (self.state, self.namespace)
        self.log_path = self.dir + "/log"
        self.process = None
        self.events = None
        self.count = 0
        self._lay_out()
        self.start()
        self.ctr("images", "import", world.archive, check=True)
        self.watch = Watch(self.dir, self.namespace, lambda: self.process.pid,
                           [self.tasks, self.tasks.replace(self.state, self.dir + "/root"),
                            self.dir + "/tmp"],
                           lambda: {self.process.pid, self.events.process.pid}, world.ours)

    def _lay_out(self):
        for name in ("bin", "tmp", "fifo"):
            os.mkdir("%s/%s" % (self.dir, name))
        for name in (self.world.shim, self.world.find(self.oci)):
            os.symlink(name, "%s/bin/%s" % (self.dir, os.path.basename(name)))
        with open(self.dir + "/config.toml", "w") as file:
            file.write('version = 2\nroot = "%s/root"\nstate = "%s"\ndisabled_plugins = %s\n'
                       '[grpc]\naddress = "%s"\n[debug]\nlevel = "info"\n' % (
                           self.dir, self.state, json.dumps(DISABLED), self.address))

    def start(self):
        argv = [self.world.containerd_bin + "/containerd", "--config", self.dir + "/config.toml"]
        if self.oci == "crun":
            argv = self.world.private_mounts() + argv
        env = {"PATH": self.dir + "/bin", "TMPDIR": self.dir + "/tmp", **self.world.shim_env}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        eventually(lambda: self.ctr("version").code == 0, "containerd to answer")
        self.events = Events(self)

    def kill(self, how=signal.SIGKILL):
        self.events.close()
        self.process.send_signal(how)
        self.process.wait()

    def restart(self):
        self.kill()
        self.start()

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def command(self, *args):
        return [self.world.containerd_bin + "/ctr", "-a", self.address, "-n", self.namespace, *args]

    def ctr(self, *args, **options):
        return run(self.command(*args), **options)

    def name(self, stem="c"):
        self.count += 1
        return "%s%d" % (stem, self.count)

    def run_command(self, container, *args, flags=()):
        runtime = ["--runtime", self.world.runtime] + self.world.runtime_flags(self.oci)
        return self.command("run", *runtime, "--fifo-dir", self.dir + "/fifo", *flags, image.NAME,
                            container, *args)

    def run(self, container, *args, flags=(), **options):
        """`ctr run` with --rm, to its end."""
        return run(self.run_command(container, *args, flags=("--rm", *flags)), **options)

    def run_detached(self, *args, flags=("--null-io",), container=None):
        """`ctr run -d`; returns the container's id. Without args it just waits to be killed."""
        container = container or self.name()
        args = args or ("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done")
        run(self.run_command(container, *args, flags=("-d", *flags)), check=True)
        return container

    def bundle(self, container):
        return "%s/%s" % (self.tasks, container)

    def client(self, container):
        """A connection of our own to the container's shim."""
        bundle = self.bundle(container)
        try:
            with open(bundle + "/bootstrap.json") as file:
                bootstrap = json.load(file)
            service = wire.TASK_V3 if bootstrap["version"] == 3 else wire.TASK_V2
            return wire.Client(bootstrap["address"], service)
        except FileNotFoundError:
            with open(bundle + "/address") as file:
                return wire.Client(file.read())

    def task(self, container):
        """(pid, status) as `ctr task ls` shows them, or None."""
        for line in self.ctr("tasks", "ls", check=True).out.splitlines()[1:]:
            words = line.split()
            if words[0] == container:
                return int(words[1]), words[2]
        return None

    def wait_status(self, container, status):
        eventually(lambda: (self.task(container) or (0, ""))[1] == status,
                   "%s to be %s" % (container, status))

    def terminate(self, pid):
        """SIGTERM until it ends: a shell that has just been started may not have its trap yet."""
        def ended():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            return not alive(pid)
        eventually(ended, "the end of the terminated process %d" % pid)

    def kill_and_delete(self, container):
        """The regular end: SIGKILL, wait, delete task and container."""
        self.ctr("tasks", "kill", "-s", "SIGKILL", container, check=True)
        self.wait_status(container, "STOPPED")
        self.ctr("tasks", "delete", container)
        self.ctr("containers", "delete", container, check=True)

    def check_clean(self, timeout=10):
        check_clean(self.watch, timeout)

    def sweep(self):
        """Removes what a failed test left, so that the next one starts clean."""
        for pid in list(shims()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process.poll() is not None:
            self.events.close()
            self.start()
        for line in self.ctr("tasks", "ls", "-q").out.split():
            self.ctr("tasks", "delete", "-f", line)
        for line in self.ctr("containers", "ls", "-q").out.split():
            self.ctr("containers", "delete", line)
        sweep(self.watch)

    def close(self):
        self.kill(signal.SIGTERM)
        self.watch.remove_namespace()
        shutil.rmtree(self.dir, ignore_errors=True)
