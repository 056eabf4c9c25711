# SPDX-License-Identifier: Apache-2.0
"""containerd goes away and comes back; containers, their output and their ends are not lost."""
import os
import signal

from harness import any_oci, eventually, gone, ours_only, run, same, shim_pid
from leftovers import alive
from wire import RUNNING, STOPPED


@any_oci
def test_running_containers_survive_a_killed_containerd(cd):
    name = cd.run_detached()
    pid, shim = cd.task(name)[0], shim_pid(name)
    cd.restart()
    same((cd.task(name), shim_pid(name)), ((pid, "RUNNING"), shim), "task and shim after the restart")
    same(cd.ctr("tasks", "exec", "--exec-id", "e", name, "sh", "-c", "exit 9").code, 9, "an exec")
    cd.ctr("tasks", "pause", name, check=True)
    cd.restart()
    same(cd.task(name)[1], "PAUSED", "status after a restart while paused")
    cd.ctr("tasks", "resume", name, check=True)
    cd.kill_and_delete(name)


@ours_only  # newer containerds take an empty process list for a leaked task, which loses the status
def test_exit_while_containerd_is_down_keeps_its_status(cd):
    name = cd.run_detached()
    pid = cd.task(name)[0]
    with cd.client(name) as shim:
        cd.kill()
        cd.terminate(pid)
        same(shim.call("Wait", {"id": name})["exit_status"], 7, "exit status from the shim")
        state = shim.call("State", {"id": name})
        same((state["status"], state["exit_status"], state["pid"]), (STOPPED, 7, pid), "State")
    cd.start()
    same(cd.task(name), (pid, "STOPPED"), "task after the restart")
    cd.ctr("tasks", "delete", name, check=True)
    same(cd.events.wait(name, "delete")[-1][1]["exit_status"], 7, "status in the delete event")
    cd.ctr("containers", "delete", name, check=True)


def test_output_written_while_nobody_reads_is_kept(cd):
    name = cd.name()
    log = cd.dir + "/restart.log"
    cd.run_detached("sh", "-c", "trap 'echo after; exit 0' TERM; echo before; while :; do sleep 0.05; done",
                    container=name, flags=("--log-uri", "file://" + log))
    pid = cd.task(name)[0]
    cd.kill()
    cd.terminate(pid)
    cd.start()
    eventually(lambda: open(log).read() == "before\nafter\n", "the whole log")
    cd.ctr("tasks", "delete", name)
    cd.ctr("containers", "delete", name, check=True)


def test_events_are_queued_in_order_while_nobody_listens(direct):
    client = direct.run("c")
    direct.sink.wait("c", "start")
    direct.sink.close()
    for number in range(5):
        exec_id = "e%d" % number
        direct.exec(client, "c", exec_id, "true")
        client.call("Wait", {"id": "c", "exec_id": exec_id})
    client.call("Pause", {"id": "c"}, timeout=2)
    client.call("Resume", {"id": "c"}, timeout=2)
    direct.sink.open()
    client.call("Kill", {"id": "c", "signal": 9})
    client.call("Wait", {"id": "c"})
    events = direct.sink.wait("c", "exit", count=6, timeout=30)
    for number in range(5):
        mine = [topic for topic, event in events
                if event.get("exec_id", event.get("id")) == "e%d" % number]
        same(mine, ["exec-added", "exec-started", "exit"], "events of e%d" % number)
    topics = [topic for topic, event in events if not topic.startswith("exec") and
              not event.get("id", "").startswith("e")]
    same(topics, ["create", "start", "paused", "resumed", "exit"], "events of the container")
    same(events[-1][1]["id"], "c", "whose exit is the last event")
    direct.remove(client, "c")


def test_calls_go_on_without_any_events_endpoint(direct):
    direct.sink.close()
    client = direct.run("c")
    same(client.call("State", {"id": "c"}, timeout=2)["status"], RUNNING, "status")
    direct.finish(client, "c")
    if direct.world.ours:  # bounded: the shim may not wait for ever to get rid of its events
        eventually(lambda: not direct.shim_pids(), "the shim's end", 30)
    direct.sink.open()


def test_dead_shim_is_cleaned_up_when_containerd_starts(cd):
    name = cd.run_detached()
    pid, shim = cd.task(name)[0], shim_pid(name)
    cd.kill()
    os.kill(shim, signal.SIGKILL)
    gone(shim, "shim")
    cd.start()
    eventually(lambda: not alive(pid), "the end of the container's process")
    same(cd.task(name), None, "task")
    run(cd.command("containers", "delete", name), check=True)
