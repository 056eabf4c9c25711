# SPDX-License-Identifier: Apache-2.0
"""A slow or hung OCI runtime delays nobody else."""
import time

import wire
from harness import eventually, ours_only, raises, same

GROUP = {"io.containerd.runc.v2.group": "pod"}
AT_ONCE = 2  # seconds; containerd gives State no more


def with_neighbour(direct, held):
    """A running neighbour, and a container whose runtime will be held in the command `held`."""
    runtime = direct.stand_in()
    neighbour = direct.run("other", annotations=GROUP)
    runtime.block(held)
    return runtime, neighbour


def answers_at_once(client, container, status):
    same(client.call("State", {"id": container}, timeout=AT_ONCE)["status"], status,
         "status of " + container)
    assert client.call("Pids", {"id": container}, timeout=AT_ONCE)["processes"], "no pids"
    client.call("Stats", {"id": container}, timeout=AT_ONCE)
    client.call("Kill", {"id": container, "signal": 28}, timeout=AT_ONCE)  # SIGWINCH, ignored


@ours_only  # the peer of containerd 1.6 holds a lock
def test_held_create_delays_no_other_container(direct):
    runtime, neighbour = with_neighbour(direct, "create")
    options = direct.options(binary_name=runtime.path)
    bundle = direct.bundle("c", annotations=GROUP)
    client = direct.connect(direct.start("c", options))
    create = client.send("Create", {"id": "c", "bundle": bundle, "rootfs": direct.rootfs(),
                                    "options": options})
    runtime.wait("create")
    answers_at_once(neighbour, "other", wire.RUNNING)
    answers_at_once(client, "other", wire.RUNNING)
    client.call("Connect", {"id": "c"}, timeout=AT_ONCE)
    raises(wire.EXISTS, client.call, "Create", {"id": "c", "bundle": bundle, "options": options})
    assert not create.done, "Create was answered while the runtime is held"
    runtime.release("create")
    create.result()
    client.call("Start", {"id": "c"})
    direct.finish(client, "c")
    direct.finish(neighbour, "other")


@ours_only
def test_held_start_delays_neither_state_nor_kill(direct):
    runtime, neighbour = with_neighbour(direct, "start")
    client = direct.create("c", annotations=GROUP, options=direct.options(binary_name=runtime.path))
    wait = client.send("Wait", {"id": "c"})
    start = client.send("Start", {"id": "c"})
    runtime.wait("start")
    answers_at_once(neighbour, "other", wire.RUNNING)
    answers_at_once(client, "c", wire.CREATED)
    client.call("Kill", {"id": "c", "signal": 9}, timeout=AT_ONCE)
    same(wait.result(AT_ONCE)["exit_status"], 137, "exit status")
    runtime.release("start")
    try:
        start.result()
    except wire.RpcError:
        pass  # either answer is right for a process that died meanwhile
    direct.remove(client, "c")
    direct.finish(neighbour, "other")


@ours_only
def test_held_pause_and_exec_delay_neither_state_nor_kill(direct):
    runtime = direct.stand_in()
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    runtime.block("exec")
    direct.exec(client, "c", "e", "true", start=False)
    execute = client.send("Start", {"id": "c", "exec_id": "e"})
    runtime.wait("exec")
    answers_at_once(client, "c", wire.RUNNING)
    same(client.call("State", {"id": "c", "exec_id": "e"}, timeout=AT_ONCE)["status"], wire.CREATED,
         "status of the exec")
    runtime.block("pause")
    pause = client.send("Pause", {"id": "c"})
    runtime.wait("pause")
    answers_at_once(client, "c", wire.PAUSING)
    runtime.release("exec")
    execute.result()
    same(client.call("Wait", {"id": "c", "exec_id": "e"})["exit_status"], 0, "exec's exit status")
    runtime.release("pause")
    pause.result()
    client.call("Resume", {"id": "c"})
    direct.finish(client, "c")


@ours_only
def test_deadline_is_kept_while_the_operation_goes_on(direct):
    runtime = direct.stand_in()
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    runtime.block("pause")
    began = time.monotonic()
    pause = client.send("Pause", {"id": "c"}, timeout_nano=300_000_000)
    runtime.wait("pause")
    raises(wire.DEADLINE, pause.result)
    assert 0.25 < time.monotonic() - began < AT_ONCE, "answered after %s s" % (time.monotonic() - began)
    runtime.release("pause")
    eventually(lambda: client.call("State", {"id": "c"})["status"] == wire.PAUSED, "the pause")
    client.call("Resume", {"id": "c"})
    direct.finish(client, "c")


@ours_only
def test_64_held_execs_leave_room_for_state_kill_and_delete(direct):
    runtime = direct.stand_in()
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    runtime.block("exec")
    for number in range(64):
        direct.exec(client, "c", "e%d" % number, "true", start=False)
    starts = [client.send("Start", {"id": "c", "exec_id": "e%d" % number}) for number in range(64)]
    runtime.wait("exec")
    answers_at_once(client, "c", wire.RUNNING)
    client.call("Kill", {"id": "c", "signal": 9}, timeout=AT_ONCE)
    same(client.call("Wait", {"id": "c"}, timeout=AT_ONCE)["exit_status"], 137, "exit status")
    runtime.release("exec")
    for start in starts:
        try:
            start.result()
        except wire.RpcError:
            pass  # the container is gone
    direct.remove(client, "c")


@ours_only  # the peer loses SIGCHLDs and then sits still for up to a minute
def test_64_execs_at_once_all_come_to_their_end(direct):
    client = direct.run("c")
    outputs = {}
    for number in range(64):
        exec_id = "e%d" % number
        io, out, _ = direct.outputs(exec_id)
        direct.exec(client, "c", exec_id, "sh", "-c", "echo $$-%s; exit %d" % (exec_id, number), io=io,
                    start=False)
        outputs[exec_id] = out
    waits = {e: client.send("Wait", {"id": "c", "exec_id": e}) for e in outputs}
    starts = [client.send("Start", {"id": "c", "exec_id": e}) for e in outputs]
    pids = [start.result(60)["pid"] for start in starts]
    same(len(set(pids)), 64, "different pids")
    for number, (exec_id, wait) in enumerate(waits.items()):
        same(wait.result(30)["exit_status"], number, "exit status of " + exec_id)
        assert outputs[exec_id].end().strip().endswith("-" + exec_id), outputs[exec_id].text
        client.call("Delete", {"id": "c", "exec_id": exec_id})
    direct.sink.wait("c", "exit", count=64)
    for number in range(64):
        mine = [topic for topic, event in direct.sink.of("c")
                if event.get("exec_id", event.get("id")) == "e%d" % number]
        same(mine, ["exec-added", "exec-started", "exit"], "events of e%d" % number)
    direct.finish(client, "c")
