# SPDX-License-Identifier: Apache-2.0
"""Drives a shim as containerd does, but without containerd: bundles, `start`, calls, `delete`."""
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading

import image
import wire
from harness import check_clean, eventually, gone, shims, sweep
from leftovers import Watch, alive

NULL_IO = {"stdin": "", "stdout": "", "stderr": ""}


class Output:
    """The reading end of an output FIFO; `data` grows until `ended`.

    reader: "now", "later" (somebody has it open, read() starts reading), "none" (call open()).
    """

    def __init__(self, path, reader="now"):
        self.path = path
        self.data = b""
        self.ended = False
        os.mkfifo(path)
        os.chmod(path, 0o666)
        if reader != "none":
            self.open()
        if reader == "now":
            self.read()

    def open(self):
        self.fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self):
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        waiter = select.poll()
        waiter.register(self.fd, select.POLLIN)
        while True:
            waiter.poll()  # hangs up only once there was a writer
            part = os.read(self.fd, 65536)
            if not part:
                break
            self.data += part
        os.close(self.fd)
        self.ended = True

    @property
    def text(self):
        return self.data.decode(errors="replace")

    def end(self, timeout=15):
        """Waits for end-of-file; returns the whole text."""
        eventually(lambda: self.ended, "end of file on %s, so far: %r" % (
            self.path, self.text[-200:]), timeout)
        return self.text

    def wait(self, text, timeout=15):
        try:
            eventually(lambda: text in self.text, "%r" % text, timeout)
        except AssertionError:
            raise AssertionError("%s never had %r, only %r" % (
                self.path, text, self.text[-500:])) from None


class StandIn:
    """An OCI runtime that writes down its command lines, can be held in any command, and otherwise
    does what the real one does; for commands in `answers` it runs that shell text instead."""

    SCRIPT = """#!/bin/sh
for word; do
    case $word in
    create|start|exec|kill|delete|pause|resume|update|ps|state|checkpoint|restore|features|events)
        command=$word
        break ;;
    esac
done
case $* in *--help*) exec %(real)s "$@" ;; esac
echo "$@" >>%(dir)s/calls
if [ -p %(dir)s/hold-$command ]; then
    echo $$ >>%(dir)s/held-$command
    read go <%(dir)s/hold-$command || :
fi
[ ! -f %(dir)s/answer-$command ] || . %(dir)s/answer-$command
exec %(real)s "$@"
"""

    def __init__(self, folder, real):
        self.dir = folder
        self.gates = []
        self.path = folder + "/stand-in"
        with open(self.path, "w") as file:
            file.write(self.SCRIPT % {"dir": folder, "real": real})
        os.chmod(self.path, 0o755)

    def block(self, command):
        os.mkfifo("%s/hold-%s" % (self.dir, command))

    def wait(self, command):
        """Waits until a call of that command is held; returns the pid of the (first) runtime."""
        path = "%s/held-%s" % (self.dir, command)
        eventually(lambda: os.path.exists(path) and os.path.getsize(path), "a held " + command)
        with open(path) as file:
            return int(file.readline())

    def release(self, command):
        """Lets all held calls go on, and later ones pass."""
        hold = "%s/hold-%s" % (self.dir, command)
        os.rename(hold, hold + ".released")
        # Kept open, with a line for everybody, so that those who are late in opening it pass too.
        self.gates.append(os.open(hold + ".released", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        os.write(self.gates[-1], b"\n" * 1000)

    def answer(self, command, script):
        with open("%s/answer-%s" % (self.dir, command), "w") as file:
            file.write(script)

    def calls(self, command):
        """The argument lists of all calls of that command so far."""
        with open(self.dir + "/calls") as file:
            lines = [line.split() for line in file]
        return [words for words in lines if command in words]


class Direct:
    """A folder with bundles, an event sink and the shims that were started for them."""

    def __init__(self, world, oci="runc", user=None, env=None):
        self.world, self.oci, self.user = world, oci, user
        self.dir = tempfile.mkdtemp(prefix="d", dir=world.tmp)
        self.namespace = os.path.basename(self.dir).replace("_", "-").strip("-")
        self.address = self.dir + "/c.sock"
        self.root = self.dir + "/oci"
        self.prefix = world.private_mounts() if oci == "crun" else []
        self.clients = []
        self.logs = {}
        for name in ("bin", "tmp", "b", "io", "run"):
            os.mkdir(self.dir + "/" + name)
        if oci:
            os.symlink(world.find(oci), "%s/bin/%s" % (self.dir, oci))
        self.sink = wire.EventSink(self.address + ".ttrpc")
        self.env = {"PATH": self.dir + "/bin", "TMPDIR": self.dir + "/tmp",
                    "GOMAXPROCS": "2", "MAX_SHIM_VERSION": "2", "GRPC_ADDRESS": self.address,
                    "TTRPC_ADDRESS": self.sink.path, "NAMESPACE": self.namespace}
        self.env.update(world.shim_env)
        self.env.update(env or {})
        if user:
            self.env["XDG_RUNTIME_DIR"] = self.dir + "/run"
        self.give(self.dir)
        self.watch = Watch(self.dir, self.namespace, os.getpid,
                           [self.dir + "/tmp", self.root + "/" + self.namespace], set,
                           world.ours)

    @classmethod
    def of(cls, world, kind):
        """The fixtures: direct (runc), crun_direct, emulated (an ordinary user, no runtime), rootless
        (runc in user and mount namespaces of an ordinary user)."""
        if kind == "emulated":
            return cls(world, oci=None, user=1000 if os.geteuid() == 0 else None,
                       env={"CONTAINERD_SHIM_HCS_PROVIDER": "emulated"})
        if kind == "rootless":
            made = cls(world, user=1000)
            made.prefix = [world.find("unshare"), "--user", "--map-root-user", "--mount"]
            return made
        return cls(world, "crun" if kind == "crun_direct" else "runc")

    def give(self, folder):
        """Makes it the property of the user for whom the shim runs."""
        if self.user:
            subprocess.check_call(["chown", "-R", "%d:%d" % (self.user, self.user), folder])

    def bundle_path(self, container):
        return "%s/b/%s" % (self.dir, container)

    def bundle(self, container, args=("sleep", "1000"), **spec):
        """Lays a bundle out as containerd does, log FIFO included; returns its path."""
        bundle = self.bundle_path(container)
        os.makedirs(bundle + "/rootfs")
        spec.setdefault("cgroup", "/%s/%s" % (self.namespace, container))
        with open(bundle + "/config.json", "w") as file:
            json.dump(image.make_spec(args, **spec), file)
        os.mkfifo(bundle + "/log", 0o700)
        self.give(bundle)
        fd = os.open(bundle + "/log", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.logs[container] = [fd, b""]
        return bundle

    def log(self, container):
        """What the shim has written to the bundle's log so far."""
        entry = self.logs[container]
        try:
            while part := os.read(entry[0], 65536):
                entry[1] += part
        except BlockingIOError:
            pass
        return entry[1].decode(errors="replace")

    def flags(self, container):
        return ["-namespace", self.namespace, "-address", self.address, "-publish-binary",
                "/bin/false", "-id", container]

    def invoke(self, container, *words, stdin=b"", argv=None, **options):
        """One run of the shim's program; stdout and stderr as bytes in a CompletedProcess."""
        argv = self.prefix + [self.world.shim] + (argv or self.flags(container) + list(words))
        if self.user:
            argv = [self.world.find("setpriv"), "--reuid", str(self.user), "--regid", str(self.user),
                    "--clear-groups", "--"] + argv
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=20, process_group=0,
                              cwd=self.bundle_path(container), env=self.env, **options)

    def start(self, container, options=None):
        """Runs `start` and returns the address it printed, of the old protocol."""
        stdin = wire.encode("Any", options) if options else b""
        done = self.invoke(container, "start", stdin=stdin)
        assert done.returncode == 0 and not done.stderr, "start: %r" % done
        return done.stdout.decode().strip()

    def delete(self, container):
        """Runs `delete` and returns its DeleteResponse."""
        done = self.invoke(container, argv=self.flags(container) +
                           ["-bundle", self.bundle_path(container), "delete"])
        assert done.returncode == 0, "delete: %r" % done
        return wire.decode("DeleteResponse", done.stdout)

    @contextlib.contextmanager
    def as_user(self):
        """A shim talks only to the user it runs as."""
        os.setegid(self.user or os.getegid())
        os.seteuid(self.user or os.geteuid())
        try:
            yield
        finally:
            os.seteuid(os.getuid())
            os.setegid(os.getgid())

    def connect(self, address, service=wire.TASK_V2):
        with self.as_user():
            client = wire.Client(address, service)
        self.clients.append(client)
        return client

    def options(self, **fields):
        """runc options for Create and start's stdin; state root below our folder."""
        return wire.any_of("containerd.runc.v1.Options", dict({"root": self.root}, **fields))

    def rootfs(self):
        """A Create request's mounts: the tests' rootfs, read-only underneath, writable on top."""
        layers = tempfile.mkdtemp(prefix="ovl", dir=self.dir)
        os.mkdir(layers + "/upper")
        os.mkdir(layers + "/work")
        self.give(layers)
        return [{"type": "overlay", "source": "overlay", "options": [
            "index=off", "workdir=%s/work" % layers, "upperdir=%s/upper" % layers,
            "lowerdir=" + self.world.rootfs]}]

    def create(self, container, args=("sleep", "1000"), io=NULL_IO, rootfs=None, options=None,
               terminal=False, request=None, **spec):
        """Bundle, `start`, connection and Create. Returns the client."""
        bundle = self.bundle(container, args, terminal=terminal, **spec)
        options = options or self.options()
        client = self.connect(self.start(container, options))
        client.call("Create", dict({"id": container, "bundle": bundle, "terminal": terminal,
                                    "rootfs": self.rootfs() if rootfs is None else rootfs,
                                    "options": options}, **io, **(request or {})))
        return client

    def run(self, container, args=("sleep", "1000"), **kwargs):
        """create() and Start."""
        client = self.create(container, args, **kwargs)
        client.call("Start", {"id": container})
        return client

    def stand_in(self):
        """A stand-in for the OCI runtime; its path goes into options(binary_name=...)."""
        folder = tempfile.mkdtemp(prefix="rt", dir=self.dir)
        return StandIn(folder, self.world.find(self.oci))

    def exec_spec(self, *args, terminal=False):
        process = {"terminal": terminal, "user": {"uid": 0, "gid": 0}, "args": list(args),
                   "env": ["PATH=/bin"], "cwd": "/"}
        return {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Process",
                "value": json.dumps(process).encode()}

    def exec(self, client, container, exec_id, *args, io=NULL_IO, start=True, terminal=False):
        client.call("Exec", dict({"id": container, "exec_id": exec_id, "terminal": terminal,
                                  "spec": self.exec_spec(*args, terminal=terminal)}, **io))
        if start:
            return client.call("Start", {"id": container, "exec_id": exec_id})["pid"]
        return 0

    def outputs(self, name, stdin=False, reader="now"):
        """FIFOs for one process: (fields of the request, stdout, stderr)."""
        base = "%s/io/%s-" % (self.dir, name)
        out, err = Output(base + "stdout", reader), Output(base + "stderr", reader)
        fields = {"stdin": "", "stdout": out.path, "stderr": err.path}
        if stdin:
            os.mkfifo(base + "stdin")
            os.chmod(base + "stdin", 0o666)
            fields["stdin"] = base + "stdin"
        return fields, out, err

    def finish(self, client, container, signal_number=signal.SIGKILL):
        """Kill, Wait, Delete, Shutdown; returns Delete's answer."""
        client.call("Kill", {"id": container, "signal": signal_number})
        client.call("Wait", {"id": container})
        return self.remove(client, container)

    def remove(self, client, container):
        """Delete and Shutdown of a stopped container."""
        answer = client.call("Delete", {"id": container})
        with contextlib.suppress(wire.Closed):  # an earlier Shutdown is remembered
            client.call("Shutdown", {"id": container})
        return answer

    def shim_pids(self):
        return [pid for pid, argv in shims().items() if self.address in argv]

    def kill_shim(self):
        pid = self.shim_pids()[0]
        os.kill(pid, signal.SIGKILL)
        gone(pid, "shim")

    def check_clean(self):
        check_clean(self.watch)

    def sweep(self):
        sweep(self.watch)

    def close(self):
        for client in self.clients:
            client.close()
        for pid in self.shim_pids():
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.sink.close()
        for fd, _ in self.logs.values():
            os.close(fd)
        self.watch.remove_namespace()
        shutil.rmtree(self.dir, ignore_errors=True)
