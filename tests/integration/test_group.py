# SPDX-License-Identifier: Apache-2.0
"""Several containers in one shim, as in a pod."""

from harness import eventually, ours_only, same
from leftovers import alive
from wire import RUNNING, STOPPED

GROUP = {"io.containerd.runc.v2.group": "pod"}
POD = {"io.kubernetes.cri.sandbox-id": "pod"}


def pod(direct, names, annotations):
    """Runs the containers, each through `start` and on a connection of its own."""
    return {name: direct.run(name, annotations=annotations) for name in names}


def test_members_share_one_process(direct):
    for number, annotations in enumerate((GROUP, POD, dict(POD, **GROUP))):
        names = ["%s%d" % (letter, number) for letter in "abc"]
        clients = pod(direct, names, annotations)
        same(len(direct.shim_pids()), 1, "shims")
        pids = {clients[n].call("Connect", {"id": n})["task_pid"] for n in names}
        same(len(pids), 3, "different tasks")
        for name in names:
            direct.finish(clients[name], name)
        eventually(lambda: not direct.shim_pids(), "the shim's end after the last member")


def test_end_of_one_member_leaves_the_others(direct):
    clients = pod(direct, ("a", "b"), GROUP)
    direct.finish(clients["a"], "a")
    direct.delete("a")
    same(clients["b"].call("State", {"id": "b"})["status"], RUNNING, "the other member")
    client = direct.run("c", annotations=GROUP)
    same(len(direct.shim_pids()), 1, "shims")
    same([topic for topic, _ in direct.sink.of("a")], ["create", "start", "exit", "delete"], "events")
    direct.finish(client, "c")
    direct.finish(clients["b"], "b")


def test_member_can_be_created_on_a_connection_that_is_there(direct):
    client = direct.run("a", annotations=GROUP)
    bundle = direct.bundle("b", annotations=GROUP)
    client.call("Create", {"id": "b", "bundle": bundle, "rootfs": direct.rootfs(),
                           "options": direct.options()})
    client.call("Start", {"id": "b"})
    same(client.call("State", {"id": "b"})["bundle"], bundle, "bundle")
    direct.finish(client, "a")
    direct.finish(client, "b")


@ours_only
def test_shutdown_is_remembered_until_the_last_delete(direct):
    client = direct.run("a", annotations=GROUP)
    client.call("Shutdown", {"id": "a"})
    client.call("Kill", {"id": "a", "signal": 9})
    client.call("Wait", {"id": "a"})
    same(client.call("State", {"id": "a"})["status"], STOPPED, "still answering")
    client.call("Delete", {"id": "a"})
    eventually(lambda: not direct.shim_pids(), "the shim's end", 2)


def test_without_shutdown_it_stays(direct):
    client = direct.run("a")
    client.call("Kill", {"id": "a", "signal": 9})
    client.call("Wait", {"id": "a"})
    client.call("Delete", {"id": "a"})
    direct.sink.wait("a", "delete")
    same(client.call("Connect", {"id": "a"})["task_pid"], 0, "task pid after Delete")
    client.call("Shutdown", {"id": "a"})


def test_killed_shim_of_a_group_is_cleaned_up_member_by_member(direct):
    clients = pod(direct, ("a", "b"), GROUP)
    pids = {n: clients[n].call("Connect", {"id": n})["task_pid"] for n in clients}
    direct.kill_shim()
    for name in ("a", "b"):
        answer = direct.delete(name)
        same((answer["pid"], answer["exit_status"]), (pids[name], 137), "answer of delete")
        assert not alive(pids[name]), "%s is still alive after its delete" % name
