# SPDX-License-Identifier: Apache-2.0
"""shimctl: the life of containers without containerd, with our shim and with containerd's own."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from harness import Skip, eventually, gone, ours_only, run, same, shims
from terminal import Terminal

WAIT_FOR_TERM = ("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done")
NOBODY = 65534


def find_shimctl(world):
    here = os.path.dirname(os.path.abspath(__file__))
    for path in (os.environ.get("SHIMCTL", ""), os.path.dirname(world.shim) + "/shimctl",
                 here + "/../../build/release/bin/shimctl"):
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise Skip("no shimctl beside the shim, nor in $SHIMCTL")


class Ctl:
    """shimctl with a state folder of its own; on leaving nothing may be left in it."""

    def __init__(self, world, shim=None, provider=None):
        self.program, self.rootfs = find_shimctl(world), world.rootfs
        self.shim, self.provider = shim or world.shim, provider
        if os.geteuid() != 0:
            if self.shim != world.shim or not world.ours:
                raise Skip("containers need root")
            self.provider = "emulated"
        self.state = tempfile.mkdtemp(prefix="ctl", dir=world.tmp)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for name in self.names():
            run(self.command("delete", "--force", name))
        left = os.listdir(self.state + "/default") if os.path.isdir(self.state + "/default") else []
        temporary = [name for name in os.listdir(self.state) if name.startswith(".")]
        shutil.rmtree(self.state, ignore_errors=True)
        if kind is None:
            same((left, temporary), ([], []), "what is left in the state folder")

    def command(self, *args):
        provider = ["--provider", self.provider] if self.provider else []
        return [self.program, "--state", self.state, "--shim", self.shim, *provider, *args]

    def __call__(self, *args, **options):
        return run(self.command(*args), **options)

    def ok(self, *args, **options):
        return run(self.command(*args), check=True, **options).out

    def rows(self, *args):
        return [json.loads(line) for line in self.ok("--json", *args).splitlines()]

    def names(self):
        return [row["id"] for row in self.rows("ps")]

    def start(self, name, *args, flags=()):
        same(self.ok("run", "-d", "--rootfs", self.rootfs, *flags, name,
                     *(args or ("sleep", "1000"))), name + "\n", "run -d")
        return name

    def stop(self, name):
        self.ok("kill", "-s", "KILL", name)
        same(self("wait", name).code, 137, "status of %s" % name)
        self.ok("delete", name)

    def shim_pid(self, name):
        return next(row["shim_pid"] for row in self.rows("ps") if row["id"] == name)


def events_of(text):
    """(topic, event) of what `--json … --events` wrote."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [(line["topic"].removeprefix("/tasks/"), line["event"]) for line in lines]


def check_one_run(ctl):
    result = ctl("--json", "run", "--rm", "--events", "-i", "--rootfs", ctl.rootfs, "r1", "sh", "-c",
                 "cat; echo to-err >&2; exit 3", input="to-out\n")
    same((result.code, result.out), (3, "to-out\n"), "run: " + repr(result))
    assert "to-err\n" in result.err, repr(result)
    events = events_of(result.err)
    same([topic for topic, _ in events], ["create", "start", "exit", "delete"], "events")
    same(events[2][1]["exit_status"], 3, "status in the exit event")
    same(events[2][1]["pid"], events[1][1]["pid"], "pid of start and exit")


def check_one_life(ctl):
    """Every command on one container."""
    name = ctl.start("l1")
    result = ctl("exec", "-i", "--env", "WHO=me", "--cwd", "/tmp", name, "sh", "-c",
                 "cat; echo $WHO ${PWD##*/}; exit 4", input="typed\n")
    same((result.code, result.out, result.err), (4, "typed\nme tmp\n", ""), "exec")
    state = ctl.rows("state", name)[0]
    same((state["status"], state["id"]), ("RUNNING", name), "state")
    pids = [row["pid"] for row in ctl.rows("ps", name)]
    same(pids, [state["pid"]], "processes")
    assert "pids.current" in ctl.ok("stats", name)
    ctl.ok("resize", name, "80", "25")  # there is no terminal: no effect, no error
    ctl.ok("shutdown", name)  # not while it has a container
    same(ctl("delete", name).code, 1, "deletion of a running container")
    ctl.stop(name)


@ours_only
def test_emulated_containers_need_no_privileges(world):
    with Ctl(world, provider="emulated") as ctl:
        check_one_run(ctl)
        check_one_life(ctl)


def test_real_containers(world):
    with Ctl(world) as ctl:
        check_one_run(ctl)
        check_one_life(ctl)


def test_containerds_own_shim_is_served_as_well(world):
    with Ctl(world, shim=world.find("containerd-shim-runc-v2")) as ctl:
        check_one_run(ctl)
        check_one_life(ctl)


@ours_only
def test_unprivileged_user_runs_emulated_containers(world):
    if os.geteuid() != 0:
        raise Skip("this user is tested by all the others")
    with tempfile.TemporaryDirectory(dir=world.tmp) as home:
        os.chown(home, NOBODY, NOBODY)
        result = run(["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
                      "env", "XDG_RUNTIME_DIR=" + home, find_shimctl(world), "--shim", world.shim,
                      "--provider", "emulated", "run", "--rm", "--rootfs", "/", "u1", "id", "-u"])
        same((result.code, result.out), (0, "%d\n" % NOBODY), repr(result))
        same(os.listdir(home + "/shimctl/default"), [], "bundles")


def test_stopped_container_stays_until_it_is_deleted(world):
    with Ctl(world) as ctl:
        same(ctl("run", "--rootfs", ctl.rootfs, "s1", "sh", "-c", "exit 9").code, 9, "run")
        row = ctl.rows("ps")[0]
        same((row["status"], row["exit_status"]), ("STOPPED", 9), "ps")
        header, line = ctl.ok("ps").splitlines()
        same(header.split()[:3], ["ID", "PID", "STATUS"], "titles")
        same(line.split()[0], "s1", "first column")
        same(ctl("run", "--rootfs", ctl.rootfs, "s1", "true").code, 125, "the same id again")
        same(ctl("wait", "s1").code, 9, "wait")
        same(ctl.rows("delete", "s1")[0]["exit_status"], 9, "delete")
        same(ctl.names(), [], "containers")


def test_terminal_has_our_size_and_is_given_back(world):
    with Ctl(world) as ctl:
        terminal = Terminal(ctl.command("run", "-it", "--rm", "--rootfs", ctl.rootfs, "t1", "sh"))
        for rows, columns in ((31, 97), (13, 41)):
            terminal.resize(rows, columns)

            def sized():
                terminal.type("stty size\n")
                return "%d %d" % (rows, columns) in terminal.text
            eventually(sized, "%d rows inside the container" % rows)
        terminal.type("echo $((6 * 7))\n")
        terminal.wait("42")
        terminal.type("exit 5\n")
        same(terminal.end(), 5, "exit code")


def test_exec_on_a_terminal(world):
    with Ctl(world) as ctl:
        name = ctl.start("t2")
        terminal = Terminal(ctl.command("exec", "-it", name, "sh"))
        terminal.type("tty\n")
        terminal.wait("/dev/pts/")
        terminal.type("exit 6\n")
        same(terminal.end(), 6, "exit code")
        ctl.stop(name)


def test_signals_are_passed_on(world):
    with Ctl(world) as ctl:
        process = subprocess.Popen(
            ctl.command("run", "--rm", "--rootfs", ctl.rootfs, "g1", *WAIT_FOR_TERM),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        same(process.stdout.readline(), "ready\n", "first line")
        process.send_signal(signal.SIGTERM)
        same(process.wait(20), 7, "exit code of the trap")
        process.stdout.close()


def test_pause_resume_and_update(world):
    if os.geteuid() != 0:
        raise Skip("limits need root")
    with Ctl(world) as ctl:
        name = ctl.start("p1")
        ctl.ok("pause", name)
        same(ctl.rows("state", name)[0]["status"], "PAUSED", "state")
        ctl.ok("resume", name)
        same(ctl.rows("state", name)[0]["status"], "RUNNING", "state")
        ctl.ok("update", "--memory", str(64 << 20), "--pids", "50", name)
        same(ctl.rows("stats", name)[0]["pids"]["limit"], 50, "limit")
        ctl.ok("update", "--resources", "-", name, input='{"pids":{"limit":51}}')
        same(ctl.rows("stats", name)[0]["pids"]["limit"], 51, "limit")
        ctl.stop(name)


def test_events_of_detached_containers_are_printed(world):
    with Ctl(world) as ctl:
        process = subprocess.Popen(ctl.command("--json", "events", "e1"), stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        eventually(lambda: os.path.exists(ctl.state + "/events.sock"), "the Events endpoint")
        ctl.stop(ctl.start("other"))
        ctl.stop(ctl.start("e1"))
        seen = [json.loads(process.stdout.readline()) for _ in range(4)]
        same([line["topic"] for line in seen],
             ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"], "topics")
        same({line["event"]["container_id"] for line in seen}, {"e1"}, "containers")
        process.send_signal(signal.SIGINT)
        same(process.wait(20), 0, "exit code")
        process.stdout.close()


def test_delete_cleans_up_after_a_dead_shim(world):
    with Ctl(world) as ctl:
        name = ctl.start("d1")
        inside = ctl.rows("state", name)[0]["pid"]
        pid = ctl.shim_pid(name)
        os.kill(pid, signal.SIGKILL)
        gone(pid, "shim")
        same(ctl.rows("ps")[0]["status"], "SHIM GONE", "ps")
        result = ctl("--json", "delete", name)
        same((result.code, json.loads(result.out)["exit_status"]), (0, 137), repr(result))
        gone(inside, "init process")


def test_death_of_the_shim_under_a_run_is_told(world):
    with Ctl(world) as ctl:
        process = subprocess.Popen(
            ctl.command("run", "--rm", "--rootfs", ctl.rootfs, "k1", *WAIT_FOR_TERM),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        same(process.stdout.readline(), "ready\n", "first line")
        eventually(lambda: ctl.rows("ps")[0]["status"] == "RUNNING", "the answer of Start")
        os.kill(ctl.shim_pid("k1"), signal.SIGKILL)
        _, errors = process.communicate(timeout=20)
        same(process.returncode, 137, "exit code")
        assert "the shim is gone" in errors, errors


def test_failed_create_leaves_nothing(world):
    with Ctl(world) as ctl:
        before = set(shims())
        result = ctl("run", "--rm", "--rootfs", ctl.rootfs, "f1", "/no/such/program")
        same(result.code, 125, repr(result))
        assert "no/such/program" in result.err, repr(result)
        same(ctl.names(), [], "containers")
        if ctl.shim.endswith("hcs-v1"):
            eventually(lambda: not set(shims()) - before, "the end of the shim")


def test_config_file_is_taken_and_overridden(world):
    with Ctl(world) as ctl:
        bundle = tempfile.mkdtemp(dir=world.tmp)
        with open(bundle + "/config.json", "w") as file:
            json.dump({"ociVersion": "1.0.2", 
                       "root": {"path": os.path.relpath(world.rootfs, bundle)},
                       "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["A=1", "PATH=/bin"],
                                   "args": ["sh", "-c", "echo $A$B"]},
                       "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
                       "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}, file)
        config = ["run", "--rm", "--config", bundle + "/config.json"]
        same(ctl.ok(*config, "--env", "B=2", "c1"), "12\n", "output")
        same(ctl.ok(*config, "c2", "echo", "else"), "else\n", "output with other arguments")


@ours_only
def test_runtime_options_and_the_newer_start(world):
    if os.geteuid() != 0:
        raise Skip("containers need root")
    with Ctl(world) as ctl:
        toml = ctl.state + "/options.toml"
        with open(toml, "w") as file:
            file.write('BinaryName = "no-such-runtime"\n')
        result = ctl("run", "--rm", "--runtime-config", toml, "--rootfs", ctl.rootfs, "o1", "true")
        same(result.code, 125, repr(result))
        assert "no-such-runtime" in result.err, repr(result)
        for flags in ((), ("--bootstrap",)):
            with open(toml, "w") as file:
                file.write('BinaryName = "runc"\n')
            same(ctl.ok("run", "--rm", "--runtime-config", toml, *flags, "--rootfs", ctl.rootfs, "o2",
                        "echo", "hi"), "hi\n", "output")


def test_wrong_command_lines_are_2(world):
    with Ctl(world) as ctl:
        for words in ((), ("nonsense",), ("run",), ("run", "--rootfs", "/"), ("run", "x", "true"),
                      ("--nonsense",), ("kill", "-s", "FOO", "--nonsense", "x"), ("state", "a", "b"),
                      ("run", "-d", "-t", "--rootfs", "/", "x"), ("update", "x"),
                      ("resize", "x", "1", "many")):
            result = ctl(*words)
            same((result.code, result.out), (2, ""), repr(result))
            same(result.err.count("\n"), 1, "lines: " + repr(result))
            assert "--help" in result.err, repr(result)
        same(ctl("state", "nothing").code, 1, "an unknown container")
        same(ctl("exec", "nothing", "true").code, 125, "an exec in an unknown container")
        same(ctl("state", "../x").code, 1, "an id that is none")
        same(ctl("run", "--help").code, 0, "help")


def test_containerds_container_is_reached_by_address(cd):
    program = find_shimctl(cd.world)
    name = cd.run_detached()
    with open(cd.bundle(name) + "/address") as file:
        address = file.read()
    def at(*args, **options):
        return run([program, "--namespace", cd.namespace, "--state", cd.dir + "/ctl", "--address",
                    address, *args], **options)
    result = at("exec", "-i", name, "sh", "-c", "cat; exit 8", input="through\n")
    same((result.code, result.out), (8, "through\n"), repr(result))
    same(json.loads(at("--json", "state", name).out)["pid"], cd.task(name)[0], "pid")
    at("kill", "-s", "KILL", name, check=True)
    same(at("wait", name).code, 137, "status")
    cd.ctr("tasks", "delete", name)
    cd.ctr("containers", "delete", name, check=True)
