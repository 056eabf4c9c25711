# SPDX-License-Identifier: Apache-2.0
"""What containerd relies on without saying so: the order of things, error kinds, clean ends."""
import contextlib
import glob
import json
import os
import signal
import subprocess
import time

import wire
from harness import descriptors, eventually, ours_only, raises, same
from leftovers import alive
from wire import CREATED, PAUSED, RUNNING, STOPPED

GROUP = {"io.containerd.runc.v2.group": "pod"}
UNKNOWN, STATE = 2, 9

# Runs the real command and comes back only when the process it made is dead and reaped.
DIES_FIRST = """"%(real)s" "$@" || exit
read pid <%(pid_file)s
while [ -e /proc/$pid ]; do /bin/sleep 0.01; done
exit 0
"""


def real(direct):
    return direct.world.find(direct.oci)


def topics(direct, container, process=None):
    """The topics of a container's events in order; of one process where it is named."""
    return [topic for topic, event in direct.sink.of(container)
            if process is None or process in (event.get("id"), event.get("exec_id"))]


def children(pid):
    """pid -> state letter of the children of a process."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path) as file:
            name, _, rest = file.read().rpartition(")")
            state, parent = rest.split()[:2]
            if int(parent) == pid:
                found[int(name.split()[0])] = state
    return found


def replies(client):
    """A list that grows by the method of each reply, in the order in which they arrive."""
    order = []

    class Calls(dict):
        def pop(self, stream, default=None):
            call = super().pop(stream, default)
            order.extend([call.what.partition("(")[0]] if call else [])
            return call

    with client.lock:
        client.calls = Calls(client.calls)
    return order


def memory(limit):
    return {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
            "value": json.dumps({"memory": {"limit": limit}}).encode()}


# --- exits ------------------------------------------------------------------------------------

def test_exit_before_the_reply_of_start_comes_after_it(direct):
    runtime = direct.stand_in()
    runtime.answer("start", DIES_FIRST % {"real": real(direct),
                                          "pid_file": direct.bundle_path("c") + "/init.pid"})
    runtime.answer("exec", DIES_FIRST % {"real": real(direct),
                                         "pid_file": direct.bundle_path("d") + "/e.pid"})
    options = direct.options(binary_name=runtime.path)
    client = direct.create("c", ("sh", "-c", "exit 5"), options=options)
    order = replies(client)
    wait = client.send("Wait", {"id": "c"})
    pid = client.call("Start", {"id": "c"})["pid"]
    assert pid, "no pid in the reply of Start"
    same(wait.result()["exit_status"], 5, "exit status")
    assert order == ["Start", "Wait"] or not direct.world.ours, order
    direct.sink.wait("c", "exit")
    same(topics(direct, "c"), ["create", "start", "exit"], "events")
    direct.remove(client, "c")

    os.unlink(runtime.dir + "/answer-start")
    client = direct.run("d", options=options)
    direct.exec(client, "d", "e", "sh", "-c", "exit 6", start=False)
    order = replies(client)
    wait = client.send("Wait", {"id": "d", "exec_id": "e"})
    client.call("Start", {"id": "d", "exec_id": "e"})
    same(wait.result()["exit_status"], 6, "exit status of the exec")
    assert order == ["Start", "Wait"] or not direct.world.ours, order
    direct.sink.wait("d", "exit")
    same(topics(direct, "d", "e"), ["exec-added", "exec-started", "exit"], "events of the exec")
    direct.finish(client, "d")


def test_created_container_that_is_killed_stops_once(direct):
    client = direct.create("c")
    wait = client.send("Wait", {"id": "c"})
    client.call("Kill", {"id": "c", "signal": 9})
    same(wait.result()["exit_status"], 137, "exit status")
    same(client.call("State", {"id": "c"})["status"], STOPPED, "status")
    raises(UNKNOWN, client.call, "Start", {"id": "c"})
    direct.remove(client, "c")
    direct.sink.wait("c", "delete")
    same(topics(direct, "c"), ["create", "exit", "delete"], "events")


@ours_only
def test_exec_of_a_dead_container_cannot_be_started(direct):
    client = direct.run("c")
    direct.exec(client, "c", "e", "true", start=False)
    wait = client.send("Wait", {"id": "c", "exec_id": "e"})
    client.call("Kill", {"id": "c", "signal": 9})
    client.call("Wait", {"id": "c"})
    raises(STATE, client.call, "Start", {"id": "c", "exec_id": "e"}, timeout=2)
    error = raises(UNKNOWN, client.call, "Exec", {"id": "c", "exec_id": "f",
                                                  "spec": direct.exec_spec("true")})
    assert "stopped" in str(error), error
    direct.remove(client, "c")
    with contextlib.suppress(wire.RpcError):
        wait.result(5)  # it may end in any way, but end it must


@ours_only
def test_exits_of_execs_come_before_that_of_init(direct):
    for container, shared in (("own", False), ("shared", True)):
        client = direct.run(container, pid_namespace=not shared)
        pids = [direct.exec(client, container, "e%d" % i, "sleep", "1000") for i in range(4)]
        client.call("Kill", {"id": container, "signal": 9})
        client.call("Wait", {"id": container})
        exits = [event for topic, event in direct.sink.wait(container, "exit", count=5)
                 if topic == "exit"]
        same(exits[-1]["id"], container, "whose exit is the last event")
        same(sorted(event["pid"] for event in exits[:-1]), sorted(pids), "pids of the others")
        same([alive(pid) for pid in pids], [False] * 4, "execs alive after their container")
        direct.remove(client, container)


def test_failed_exec_stays_created_and_lets_its_waiters_go(direct):
    client = direct.run("c")
    exec_e = {"id": "c", "exec_id": "e"}
    direct.exec(client, "c", "e", "/no/such/program", start=False)
    wait = client.send("Wait", exec_e)
    error = raises(UNKNOWN, client.call, "Start", exec_e)
    assert "OCI runtime exec failed: " in str(error), error
    same(wait.result(2).get("exit_status", 0), 0, "exit status that Wait tells")
    same(client.call("State", exec_e)["status"], CREATED, "status of the exec")
    client.call("Delete", exec_e)
    raises(wire.NOT_FOUND, client.call, "State", exec_e)
    same(client.call("State", {"id": "c"})["status"], RUNNING, "status of the container")
    direct.finish(client, "c")
    direct.sink.wait("c", "delete")
    same(topics(direct, "c", "e"), ["exec-added"], "events of the exec")


def test_exit_status_and_time_are_the_same_everywhere(direct):
    client = direct.run("c", ("sh", "-c", "kill -TERM $$; sleep 1; exit 3"))
    waits = [client.send("Wait", {"id": "c"}) for _ in range(3)]
    first = waits[0].result()
    for answer in (waits[1].result(), waits[2].result(), client.call("Wait", {"id": "c"})):
        same(answer, first, "answer of another Wait")
    state = client.call("State", {"id": "c"})
    event = direct.sink.wait("c", "exit")[-1][1]
    deleted = direct.remove(client, "c")
    gone_event = direct.sink.wait("c", "delete")[-1][1]
    for name, got in (("State", state), ("exit", event), ("Delete", deleted), ("delete", gone_event)):
        same((got["exit_status"], got["exited_at"]), (first["exit_status"], first["exited_at"]), name)
        same(got["pid"], state["pid"], "pid of " + name)


def test_oom_comes_before_the_exit(direct):
    client = direct.create("c", ("sh", "-c", "exec tail /dev/zero"))
    client.call("Update", {"id": "c", "resources": memory(32 << 20)})
    client.call("Start", {"id": "c"})
    same(client.call("Wait", {"id": "c"})["exit_status"], 137, "exit status")
    direct.sink.wait("c", "exit")
    same(topics(direct, "c")[:3] + topics(direct, "c")[-1:], ["create", "start", "oom", "exit"], "events")
    direct.remove(client, "c")


# --- errors -----------------------------------------------------------------------------------

def test_wrong_states_are_refused_with_their_names(direct):
    client = direct.create("c")
    task, exec_e = {"id": "c"}, {"id": "c", "exec_id": "e"}

    def refused(state, *methods):
        for method in methods:
            request = dict(task, exec_id="x", spec=direct.exec_spec("true")) if method == "Exec" else \
                dict(task, path=direct.dir) if method == "Checkpoint" else \
                dict(task, resources={"type_url": "x", "value": b"{}"}) if method == "Update" else task
            error = raises(UNKNOWN, client.call, method, request)
            assert state in str(error), "%s: %s" % (method, error)

    refused("created", "Pause", "Resume", "Checkpoint")
    client.call("Start", task)
    refused("running", "Start", "Delete", "Resume")
    direct.exec(client, "c", "e", "sleep", "1000")
    refused("running", "Delete")
    raises(UNKNOWN, client.call, "Start", exec_e)
    raises(UNKNOWN, client.call, "Delete", exec_e)
    client.call("Pause", task)
    refused("paused", "Start", "Delete", "Exec", "Pause")
    same(client.call("State", exec_e)["status"], PAUSED, "status of the exec")
    client.call("Update", dict(task, resources={"type_url": "x", "value": b"{}"}))
    client.call("Resume", task)
    client.call("Kill", dict(task, signal=9))
    client.call("Wait", task)
    refused("stopped", "Start", "Exec", "Pause", "Resume", "Update", "Checkpoint")
    raises(wire.NOT_FOUND, client.call, "Kill", dict(task, signal=15))
    direct.remove(client, "c")


@ours_only
def test_exec_ids_are_unique_and_specs_needed(direct):
    client = direct.run("c")
    request = {"id": "c", "exec_id": "e", "spec": direct.exec_spec("true")}
    calls = [client.send("Exec", request) for _ in range(8)]
    outcomes = []
    for call in calls:
        try:
            call.result()
            outcomes.append(0)
        except wire.RpcError as error:
            outcomes.append(error.code)
    same(sorted(outcomes), [0] + [wire.EXISTS] * 7, "outcomes of the same exec eight times at once")
    same(len(direct.sink.wait("c", "exec-added")) and topics(direct, "c", "e"), ["exec-added"], "events")
    raises(3, client.call, "Exec", {"id": "c", "exec_id": "f"})
    raises(STATE, client.call, "Kill", {"id": "c", "exec_id": "e", "signal": 9})
    direct.finish(client, "c")


@ours_only
def test_kill_of_what_the_runtime_says_is_over_is_not_found(direct):
    """The texts are those of several runtimes and versions; CRI takes only code 5 for "gone"."""
    runtime = direct.stand_in()
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    for text in ("process already finished", "container not running", "no such process", "ESRCH",
                 "container does not exist"):
        runtime.answer("kill", "echo %s >&2; exit 1\n" % text)
        raises(wire.NOT_FOUND, client.call, "Kill", {"id": "c", "signal": 15})
    runtime.answer("kill", "echo operation not permitted >&2; exit 1\n")
    raises(UNKNOWN, client.call, "Kill", {"id": "c", "signal": 15})
    os.unlink(runtime.dir + "/answer-kill")
    direct.finish(client, "c")


@ours_only
def test_failures_quote_the_runtimes_own_error(direct):
    runtime = direct.stand_in()
    options = direct.options(binary_name=runtime.path)
    client = direct.run("c", options=options)
    for command, method in (("pause", "Pause"), ("update", "Update")):
        runtime.answer(command, 'echo \'{"level":"error","msg":"no way, %s"}\' >>%s/log.json; exit 1\n' % (
            command, direct.bundle_path("c")))
        error = raises(UNKNOWN, client.call, method, {
            "id": "c", "resources": {"type_url": "x", "value": b"{}"}} if method == "Update" else {"id": "c"})
        assert "OCI runtime %s failed: no way, %s" % (command, command) in str(error), error
    same(client.call("State", {"id": "c"})["status"], RUNNING, "status after a failed pause")
    direct.finish(client, "c")


@ours_only
def test_command_lines_are_those_of_every_shim(direct):
    runtime = direct.stand_in()
    options = direct.options(binary_name=runtime.path, no_pivot_root=True, no_new_keyring=True)
    client = direct.create("c", options=options)
    bundle, root = direct.bundle_path("c"), "%s/%s" % (direct.root, direct.namespace)
    prefix = ["--root", root, "--log", bundle + "/log.json", "--log-format", "json"]
    client.call("Update", {"id": "c", "resources": {"type_url": "x", "value": b'{"pids":{"limit":50}}'}})
    client.call("Start", {"id": "c"})
    direct.exec(client, "c", "e", "true")
    client.call("Wait", {"id": "c", "exec_id": "e"})
    client.call("Pause", {"id": "c"})
    client.call("Resume", {"id": "c"})
    client.call("Kill", {"id": "c", "signal": 28})
    client.call("Kill", {"id": "c", "signal": 28, "all": True})
    direct.finish(client, "c")
    eventually(lambda: runtime.calls("delete"), "the runtime's delete")
    same(runtime.calls("create"), [prefix + [
        "create", "--bundle", bundle, "--pid-file", bundle + "/init.pid", "--no-pivot",
        "--no-new-keyring", "c"]], "create")
    execute, = runtime.calls("exec")
    same(execute[:8] + execute[9:], prefix + ["exec", "--process", "--detach", "--pid-file",
                                              bundle + "/e.pid", "c"], "exec")
    for command in ("start", "pause", "resume", "delete"):
        same(runtime.calls(command)[0], prefix + [command, "c"], command)
    same(runtime.calls("kill")[:2], [prefix + ["kill", "c", "28"], prefix + ["kill", "--all", "c", "28"]],
         "kill")
    same(runtime.calls("update"), [prefix + ["update", "--resources=-", "c"]], "update")


@ours_only
def test_unserved_things_are_unimplemented(direct):
    client = direct.run("c")
    base = {"id": "c", "spec": direct.exec_spec("true")}
    direct.bundle("d")
    url = "ttrpc+unix:///run/s.sock?streaming_id=e-stdout"
    exec_e = {"id": "c", "exec_id": "e"}
    client.call("Exec", dict(base, exec_id="e", stdout=url))
    error = raises(wire.UNIMPLEMENTED, client.call, "Start", exec_e)
    assert "streaming" in str(error), error
    bundle = direct.bundle("w")
    with open(bundle + "/config.json") as file:
        spec = json.load(file)
    with open(bundle + "/config.json", "w") as file:
        json.dump(dict(spec, windows={}), file)
    error = raises(wire.UNIMPLEMENTED, client.call, "Create", {"id": "w", "bundle": bundle})
    assert "emulated" in str(error), error
    direct.finish(client, "c")


def test_annotations_of_others_are_ignored(direct):
    client = direct.run("c", annotations={"com.example/what": "ever", "io.kubernetes.cri.unknown": "1",
                                          "io.microsoft.virtualmachine.computetopology": "x"})
    direct.finish(client, "c")


@ours_only
def test_execs_of_a_paused_container_fail_at_once(direct):
    client = direct.run("c")
    exec_e = {"id": "c", "exec_id": "e"}
    direct.exec(client, "c", "e", "true", start=False)
    client.call("Pause", {"id": "c"})
    raises(UNKNOWN, client.call, "Start", exec_e, timeout=2)
    client.call("Resume", {"id": "c"})
    client.call("Start", exec_e)
    same(client.call("Wait", exec_e)["exit_status"], 0, "exit status")
    direct.finish(client, "c")


@ours_only
def test_execs_of_a_paused_container_fail_at_once_with_crun(crun_direct):
    test_execs_of_a_paused_container_fail_at_once(crun_direct)


def test_created_container_takes_execs(direct):
    client = direct.create("c")
    io, out, _ = direct.outputs("e")
    direct.exec(client, "c", "e", "echo", "early", io=io)
    same(out.end(), "early\n", "output")
    client.call("Start", {"id": "c"})
    direct.finish(client, "c")


def test_terminal_is_resized_before_its_process_starts(direct):
    io, out, _ = direct.outputs("c")
    io["stderr"] = ""
    client = direct.create("c", ("sh", "-c", "stty size </dev/fd/1"), io=io, terminal=True)
    client.call("ResizePty", {"id": "c", "width": 99, "height": 11})
    client.call("Start", {"id": "c"})
    assert "11 99" in out.end(), out.text
    client.call("Wait", {"id": "c"})
    client.call("ResizePty", {"id": "c", "width": 1, "height": 1})  # harmless
    direct.remove(client, "c")


@ours_only
def test_missing_runtime_is_no_missing_container(direct):
    bundle = direct.bundle("c")
    options = direct.options(binary_name="no-runc")
    client = direct.connect(direct.start("c", options))
    error = raises(UNKNOWN, client.call, "Create", {"id": "c", "bundle": bundle, "options": options,
                                                    "rootfs": direct.rootfs()})
    assert 'OCI runtime create failed: ' in error.message and 'exec: "no-runc"' in error.message, error
    client.call("Shutdown", {"id": "c"})


@ours_only
def test_container_from_a_checkpoint_can_go_before_it_was_restored(direct):
    client = direct.create("c", request={"checkpoint": direct.dir})
    assert client.call("Pids", {"id": "c"})["processes"], "an empty list looks like a leaked task"
    raises(STATE, client.call, "Kill", {"id": "c", "signal": 9})
    raises(wire.NOT_FOUND, client.call, "Stats", {"id": "c"})
    for method in ("Pause", "Resume"):
        raises(UNKNOWN, client.call, method, {"id": "c"})
    raises(UNKNOWN, client.call, "Exec", {"id": "c", "exec_id": "e", "spec": direct.exec_spec("true")})
    wait = client.send("Wait", {"id": "c"})
    direct.remove(client, "c")
    with contextlib.suppress(wire.Closed):
        same(wait.result(5)["exit_status"], 0, "exit status of what never ran")


def test_created_container_can_be_deleted(direct):
    client = direct.create("c")
    pid = client.call("State", {"id": "c"})["pid"]
    same(direct.remove(client, "c")["pid"], pid, "pid")
    direct.sink.wait("c", "delete")
    assert not alive(pid), "the process outlives its container"
    same([topic for topic in topics(direct, "c") if topic != "exit"], ["create", "delete"], "events")


# --- statistics, processes and updates -----------------------------------------------------------

@ours_only
def test_statistics_outlive_the_process_until_delete(direct):
    client = direct.run("c", ("sh", "-c", "read x < /dev/zero & sleep 0.1; exit 3"))
    client.call("Wait", {"id": "c"})
    stats = client.call("Stats", {"id": "c"})["stats"]
    assert stats["type_url"] in ("io.containerd.cgroups.v1.Metrics", "io.containerd.cgroups.v2.Metrics")
    assert len(stats["value"]) > 50, stats
    pids = [entry["pid"] for entry in client.call("Pids", {"id": "c"})["processes"]]
    same(pids, [client.call("State", {"id": "c"})["pid"]], "Pids of a stopped task")
    direct.remove(client, "c")


def test_resources_can_be_updated_before_start(direct):
    client = direct.create("c", ("sh", "-c", "sleep 1000"))
    client.call("Update", {"id": "c", "resources": memory(64 << 20)})
    client.call("Start", {"id": "c"})
    with open("/proc/%d/cgroup" % client.call("State", {"id": "c"})["pid"]) as file:
        lines = [line.strip().split(":", 2) for line in file]
    v1 = [path for _, names, path in lines if "memory" in names.split(",")]
    limit = "/sys/fs/cgroup/memory%s/memory.limit_in_bytes" % v1[0] if v1 else \
        "/sys/fs/cgroup%s/memory.max" % [path for number, _, path in lines if number == "0"][0]
    with open(limit) as file:
        same(int(file.read()), 64 << 20, "memory limit")
    direct.finish(client, "c")


# --- ends ---------------------------------------------------------------------------------------

def test_no_zombies_are_left(direct):
    """Neither of runtimes nor of processes that lost their parents, which come to the shim."""
    client = direct.run("c", ("sh", "-c", "while :; do sleep 0.05 & sleep 0.1; done"), pid_namespace=False)
    shim = client.call("Connect", {"id": "c"})["shim_pid"]
    for number in range(10):
        direct.exec(client, "c", "e%d" % number, "sh", "-c", "(sleep 0.2 &) ; (sleep 0.1 &) ; exit 0")
    for number in range(10):
        client.call("Wait", {"id": "c", "exec_id": "e%d" % number})
    client.call("Kill", {"id": "c", "signal": 9})
    client.call("Wait", {"id": "c"})
    client.call("Delete", {"id": "c"})
    for number in range(5):
        direct.run("d%d" % number)
    eventually(lambda: "Z" not in children(shim).values(), "the end of zombies: %r" % children(shim), 5)
    for number in range(5):
        other = direct.connect(direct.start("d%d" % number))
        direct.finish(other, "d%d" % number)
    client.call("Shutdown", {"id": "c"})


@ours_only
def test_failed_starts_leak_neither_terminals_nor_pipes(direct):
    client = direct.run("c")
    shim = client.call("Connect", {"id": "c"})["shim_pid"]

    def fail(exec_id, terminal):
        io, out, err = direct.outputs(exec_id, stdin=True)
        if terminal:
            io["stderr"] = ""
        direct.exec(client, "c", exec_id, "/no/such/program", io=io, terminal=terminal, start=False)
        raises(UNKNOWN, client.call, "Start", {"id": "c", "exec_id": exec_id})
        client.call("Delete", {"id": "c", "exec_id": exec_id})

    fail("first", False)
    fail("first-terminal", True)
    for number in range(6):
        fail("e%d" % number, number % 2 == 1)

    def leaked():
        return [path for path in descriptors(shim).values()
                if "ptmx" in path or path.startswith("pipe:") or direct.dir + "/io" in path]

    eventually(lambda: not leaked(), "no leaked descriptors: %s" % leaked(), 5)
    direct.finish(client, "c")


def test_failed_create_leaves_no_pipes_and_shutdown_ends_the_shim(direct):
    bundle = direct.bundle("c", args=("/no/such/program",))
    client = direct.connect(direct.start("c", direct.options()))
    shim = client.call("Connect", {"id": "c"})["shim_pid"]
    error = raises(UNKNOWN, client.call, "Create", {"id": "c", "bundle": bundle, "rootfs": direct.rootfs(),
                                                    "options": direct.options()})
    assert "OCI runtime create failed: " in str(error) or not direct.world.ours, error
    raises(wire.NOT_FOUND, client.call, "Delete", {"id": "c"})
    pipes = [path for path in descriptors(shim).values() if path.startswith("pipe:")]
    assert not pipes or not direct.world.ours, pipes
    client.call("Shutdown", {"id": "c"})
    eventually(lambda: not direct.shim_pids(), "the shim's end")
    same([topic for topic, _ in direct.sink.of("c")], [], "events of a failed create")


@ours_only
def test_create_that_hangs_is_ended_by_the_delete_of_its_client(direct):
    """containerd's way after a Create whose client has gone: Delete, then Shutdown."""
    runtime = direct.stand_in()
    runtime.block("create")
    options = direct.options(binary_name=runtime.path)
    bundle = direct.bundle("c")
    client = direct.connect(direct.start("c", options))
    create = client.send("Create", {"id": "c", "bundle": bundle, "rootfs": direct.rootfs(),
                                    "options": options})
    runtime.wait("create")
    raises(wire.NOT_FOUND, client.call, "Delete", {"id": "c"}, timeout=4)
    raises(1, create.result)
    client.call("Shutdown", {"id": "c"})
    eventually(lambda: not direct.shim_pids(), "the shim's end", 3)
    same(direct.sink.of("c"), [], "events")
    assert not os.path.ismount(bundle + "/rootfs"), "the root file system is still mounted"


def test_rootfs_in_use_fails_the_delete_and_keeps_the_task(direct):
    client = direct.run("c")
    client.call("Kill", {"id": "c", "signal": 9})
    client.call("Wait", {"id": "c"})
    shim = client.call("Connect", {"id": "c"})["shim_pid"]
    user = subprocess.Popen(["sleep", "1000"], cwd=direct.bundle_path("c") + "/rootfs")
    try:
        error = raises(UNKNOWN, client.call, "Delete", {"id": "c"})
        assert "rootfs" in str(error), error
        same(client.call("State", {"id": "c"})["status"], STOPPED, "status after the failed Delete")
        client.call("Shutdown", {"id": "c"})
        assert alive(shim), "a Shutdown ended the shim with a container left"
    finally:
        user.kill()
        user.wait()
    direct.remove(client, "c")


def test_delete_tolerates_a_state_that_is_gone(direct):
    client = direct.run("c")
    client.call("Kill", {"id": "c", "signal": 9})
    client.call("Wait", {"id": "c"})
    subprocess.check_call([real(direct), "--root", "%s/%s" % (direct.root, direct.namespace), "delete",
                           "--force", "c"])
    direct.remove(client, "c")


@ours_only
def test_delete_that_its_client_gave_up_goes_on(direct):
    runtime = direct.stand_in()
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    client.call("Kill", {"id": "c", "signal": 9})
    client.call("Wait", {"id": "c"})
    runtime.block("delete")
    raises(4, client.call, "Delete", {"id": "c"}, timeout_nano=200_000_000)
    runtime.wait("delete")
    again = client.send("Delete", {"id": "c"})
    runtime.release("delete")
    try:
        again.result()
        raise AssertionError("two Deletes of one container succeeded")
    except wire.RpcError as error:
        same(error.code, wire.NOT_FOUND, "code of the second Delete")
    client.call("Shutdown", {"id": "c"})
    eventually(lambda: not direct.shim_pids(), "the shim's end")
    direct.sink.wait("c", "delete")
    same(topics(direct, "c"), ["create", "start", "exit", "delete"], "events")


@ours_only
def test_delete_command_finds_the_bundle_by_its_own_folder(direct):
    """Without -bundle the current folder is the bundle, or one beside it."""
    clients = {name: direct.run(name) for name in ("a", "b")}
    pids = {name: clients[name].call("State", {"id": name})["pid"] for name in clients}
    while direct.shim_pids():
        direct.kill_shim()
    for name, place in (("a", "a"), ("b", "a")):
        done = subprocess.run(direct.prefix + [direct.world.shim] + direct.flags(name) + ["delete"],
                              cwd=direct.bundle_path(place), env=direct.env, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=20)
        same((done.returncode, done.stderr), (0, b""), "delete of " + name)
        answer = wire.decode("DeleteResponse", done.stdout)
        same((answer["pid"], answer["exit_status"]), (pids[name], 137), "answer for " + name)
        same([alive(pids[n]) for n in ("a", "b")], [False, name == "a"], "who is alive after " + name)


@ours_only
def test_delete_command_is_quick_though_the_runtime_hangs(direct):
    runtime = direct.stand_in()
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    pid = client.call("State", {"id": "c"})["pid"]
    direct.kill_shim()
    runtime.block("delete")
    runtime.block("kill")
    began = time.monotonic()
    answer = direct.delete("c")
    took = time.monotonic() - began
    same(answer["exit_status"], 137, "exit status")
    assert took < 4.8, "delete took %.1f s" % took
    assert not alive(pid), "the container's process lives"
    same(os.path.ismount(direct.bundle_path("c") + "/rootfs"), False, "rootfs is mounted")
    runtime.release("delete")
    runtime.release("kill")
    direct.delete("c")


@ours_only
def test_live_sandbox_keeps_its_shim(direct):
    """Its containers come and go, each with a Shutdown, before the sandbox itself goes."""
    bundle = direct.bundle("s")
    sandbox = direct.connect(direct.start("s", direct.options()), wire.SANDBOX)
    sandbox.call("CreateSandbox", {"sandbox_id": "s", "bundle_path": bundle})
    sandbox.call("StartSandbox", {"sandbox_id": "s"})
    address = direct.start("s")
    for number in range(2):
        name = "c%d" % number
        client = direct.connect(address)
        client.call("Create", {"id": name, "bundle": direct.bundle(name), "rootfs": direct.rootfs(),
                               "options": direct.options()})
        client.call("Start", {"id": name})
        client.call("Kill", {"id": name, "signal": 9})
        client.call("Wait", {"id": name})
        client.call("Delete", {"id": name})
        client.call("Shutdown", {"id": name})
    same(sandbox.call("SandboxStatus", {"sandbox_id": "s"})["state"], "SANDBOX_READY", "state")
    sandbox.call("StopSandbox", {"sandbox_id": "s"})
    sandbox.call("ShutdownSandbox", {"sandbox_id": "s"})
    eventually(lambda: not direct.shim_pids(), "the shim's end")


# --- start ----------------------------------------------------------------------------------------

def test_sigterm_leaves_containers_to_delete(direct):
    client = direct.run("c")
    pid = client.call("State", {"id": "c"})["pid"]
    os.kill(direct.shim_pids()[0], signal.SIGTERM)
    eventually(lambda: not direct.shim_pids(), "the shim's end")
    if direct.world.ours:
        assert alive(pid), "the container ended with its shim"
    same(direct.delete("c")["exit_status"], 137, "exit status that delete reports")
    eventually(lambda: not alive(pid), "the end of the container's process")


@ours_only
def test_two_starts_of_a_group_at_once_make_one_shim(direct):
    names = ["m%d" % number for number in range(6)]
    for name in names:
        direct.bundle(name, annotations=GROUP)
    argv = {name: direct.prefix + [direct.world.shim] + direct.flags(name) + ["start"] for name in names}
    running = [subprocess.Popen(argv[name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, cwd=direct.bundle_path(name), env=direct.env)
               for name in names]
    addresses = {child.communicate(timeout=20)[0].decode().strip() for child in running}
    same(len(addresses), 1, "addresses: %s" % addresses)
    same(len(direct.shim_pids()), 1, "shims")
    for name in names:
        with open(direct.bundle_path(name) + "/address") as file:
            same(file.read(), list(addresses)[0], "file address of " + name)
    client = direct.connect(list(addresses)[0])
    client.call("Shutdown", {"id": "m0"})
    eventually(lambda: not direct.shim_pids(), "the shim's end")


def test_log_flows_again_after_a_restart_of_its_reader(direct):
    client = direct.run("c")
    shim = client.call("Connect", {"id": "c"})["shim_pid"]
    fd, _ = direct.logs["c"]
    os.close(fd)
    if direct.world.ours:
        os.kill(shim, signal.SIGUSR1)
    same(client.call("State", {"id": "c"})["status"], RUNNING, "status without a reader of the log")
    direct.logs["c"] = [os.open(direct.bundle_path("c") + "/log", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC), b""]
    if direct.world.ours:
        os.kill(shim, signal.SIGUSR1)
        eventually(lambda: "task=c" in direct.log("c"), "a line in the log that is read again")
    direct.finish(client, "c")


@ours_only
def test_info_echoes_the_options_and_asks_the_runtime_they_name(direct):
    direct.bundle("c")
    runtime = direct.stand_in()
    runtime.answer("features", """echo '{"mountOptions":["from-it"]}'; exit 0\n""")
    options = direct.options(binary_name=runtime.path)
    done = direct.invoke("c", argv=["-info"], stdin=wire.encode("Any", options))
    info = wire.decode("RuntimeInfo", done.stdout)
    same((info["options"]["type_url"], info["options"]["value"]), (options["type_url"], options["value"]),
         "options")
    same(json.loads(info["features"]["value"]), {"mountOptions": ["from-it"]}, "features")
    runtime.answer("features", "exit 1\n")
    done = direct.invoke("c", argv=["-info"], stdin=wire.encode("Any", options))
    same((done.returncode, done.stderr), (0, b""), "-info of a runtime that knows no features")
    assert not wire.decode("RuntimeInfo", done.stdout)["features"], done.stdout


@ours_only
def test_publish_binary_serves_where_there_is_no_ttrpc_address(direct):
    publish = direct.dir + "/publish"
    with open(publish, "w") as file:
        file.write("#!/bin/sh\necho \"$@\" >>%s/published\n" % direct.dir)
    os.chmod(publish, 0o755)
    direct.env["TTRPC_ADDRESS"] = ""
    direct.flags = lambda container: ["-namespace", direct.namespace, "-address", direct.address,
                                      "-publish-binary", publish, "-id", container]
    client = direct.run("c")
    direct.finish(client, "c")
    eventually(lambda: not direct.shim_pids(), "the shim's end")
    with open(direct.dir + "/published") as file:
        lines = [line.split() for line in file]
    same([line[4] for line in lines], ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"],
         "topics")
    same(lines[0], ["--address", direct.address, "publish", "--topic", "/tasks/create", "--namespace",
                    direct.namespace], "command line")


@ours_only
def test_two_starts_of_one_container_at_once_end_well(direct):
    direct.bundle("c")
    argv = direct.prefix + [direct.world.shim] + direct.flags("c") + ["start"]
    for _ in range(5):
        running = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, cwd=direct.bundle_path("c"), env=direct.env)
                   for _ in range(3)]
        texts = {child.communicate(timeout=20)[0].decode().strip() for child in running}
        same(len(texts), 1, "answers: %s" % texts)
        same(len(direct.shim_pids()), 1, "shims")
        direct.connect(texts.pop()).call("Shutdown", {"id": "c"})
        eventually(lambda: not direct.shim_pids(), "the shim's end")


@ours_only
def test_runtime_hears_nothing_of_our_service_manager(direct):
    runtime = direct.stand_in()
    direct.env["NOTIFY_SOCKET"] = direct.dir + "/notify"
    runtime.answer("create", "env >%s/env\n" % runtime.dir)
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    with open(runtime.dir + "/env") as file:
        names = [line.partition("=")[0] for line in file]
    assert "NOTIFY_SOCKET" not in names, names
    direct.finish(client, "c")


def test_pipes_belong_to_whom_the_options_name(direct):
    runtime = direct.stand_in()
    for command in ("create", "exec"):
        runtime.answer(command, "/usr/bin/stat -L -c %%u:%%g /dev/fd/0 /dev/fd/1 /dev/fd/2 >%s/owners-%s\n" % (
            runtime.dir, command))
    options = direct.options(binary_name=runtime.path, io_uid=1000, io_gid=1001)
    io = direct.outputs("c", stdin=True)[0]
    client = direct.run("c", io=io, options=options)
    direct.exec(client, "c", "e", "true", io=direct.outputs("e", stdin=True)[0])
    for command in ("create", "exec"):
        with open("%s/owners-%s" % (runtime.dir, command)) as file:
            owners = file.read().split()
        same([owners[0], owners[2]], ["1000:1001"] * 2, "owners of stdin and stderr of " + command)
    direct.finish(client, "c")
