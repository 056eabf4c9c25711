# SPDX-License-Identifier: Apache-2.0
"""An ordinary user, no /run, no cgroups: the emulated provider through the same protocol, and real
containers in a user namespace, as rootless containerd has them."""
import json
import os
import stat

import image
import wire
from harness import eventually, ours_only, raises, same
from leftovers import alive


def create(emulated, *args, io=None, terminal=False, container="c", **spec):
    return emulated.create(container, args or ("sleep", "1000"), rootfs=[], io=io or {},
                           terminal=terminal, root=emulated.world.rootfs, **spec)


@ours_only
def test_life_of_a_container_without_privileges(emulated):
    io, out, err = emulated.outputs("c")
    client = create(emulated, "sh", "-c", "echo to-out; echo to-err >&2; exit 3", io=io)
    pid = client.call("Start", {"id": "c"})["pid"]
    same(client.call("Wait", {"id": "c"})["exit_status"], 3, "exit status")
    same((out.end(), err.end()), ("to-out\n", "to-err\n"), "outputs")
    answer = emulated.remove(client, "c")
    same((answer["pid"], answer["exit_status"]), (pid, 3), "answer of Delete")
    events = emulated.sink.wait("c", "delete")
    same([topic for topic, _ in events], ["create", "start", "exit", "delete"], "events")
    assert "no isolation" in emulated.log("c"), "no warning in the log: " + emulated.log("c")


@ours_only
def test_sockets_are_where_the_users_runtime_dir_is(emulated):
    client = create(emulated)
    path = client.sock.getpeername()
    assert path.startswith(emulated.dir + "/run/"), path
    same(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, "rights of others on the socket")
    emulated.finish(client, "c")


@ours_only
def test_exec_terminal_and_statistics_without_privileges(emulated):
    client = create(emulated)
    client.call("Start", {"id": "c"})
    io, out, _ = emulated.outputs("e", stdin=True)
    io["stderr"] = ""
    pid = emulated.exec(client, "c", "e", "sh", "-c", "tty; read x; stty size; exit 6", io=io,
                        terminal=True)
    out.wait("/dev/pts/")
    client.call("ResizePty", {"id": "c", "exec_id": "e", "width": 50, "height": 20})
    processes = client.call("Pids", {"id": "c"})["processes"]
    assert pid in [process["pid"] for process in processes], processes
    client.call("Stats", {"id": "c"})
    with open(io["stdin"], "w") as stdin:
        stdin.write("\n")
    same(client.call("Wait", {"id": "c", "exec_id": "e"})["exit_status"], 6, "exit status")
    assert "20 50" in out.end(), out.text
    emulated.finish(client, "c")


@ours_only
def test_delete_after_the_shim_was_killed_ends_the_process(emulated):
    client = create(emulated)
    pid = client.call("Start", {"id": "c"})["pid"]
    emulated.kill_shim()
    same(emulated.delete("c")["exit_status"], 137, "exit status that delete reports")
    eventually(lambda: not alive(pid), "the end of the container's process")


def run_rootless(rootless, *args):
    """A container whose spec asks for nothing that an ordinary user may not have."""
    io, out, err = rootless.outputs("c")
    client = rootless.create("c", args, io=io, cgroup="", mounts=image.MOUNTS[:2])
    client.call("Start", {"id": "c"})
    return client, out, err


@ours_only
def test_real_container_in_a_user_namespace(rootless):
    client, out, err = run_rootless(rootless, "sh", "-c", "id -u; echo to-err >&2; exit 5")
    same(client.call("Wait", {"id": "c"})["exit_status"], 5, "exit status")
    same((out.end(), err.end()), ("0\n", "to-err\n"), "outputs")
    assert client.sock.getpeername().startswith(rootless.dir + "/run/"), client.sock.getpeername()
    rootless.remove(client, "c")
    same([topic for topic, _ in rootless.sink.wait("c", "delete")],
         ["create", "start", "exit", "delete"], "events")


@ours_only
def test_exec_and_kill_in_a_user_namespace(rootless):
    client, _, _ = run_rootless(rootless, "sleep", "1000")
    io, out, _ = rootless.outputs("e")
    rootless.exec(client, "c", "e", "sh", "-c", "echo inside; exit 6", io=io)
    same(client.call("Wait", {"id": "c", "exec_id": "e"})["exit_status"], 6, "exit status")
    same(out.end(), "inside\n", "output")
    same(rootless.finish(client, "c")["exit_status"], 137, "exit status after the kill")


@ours_only
def test_windows_spec_is_refused_unless_the_emulation_is_asked_for(direct):
    bundle = direct.bundle("c")
    with open(bundle + "/config.json") as file:
        spec = json.load(file)
    spec["windows"] = {"layerFolders": ["C:\\layers\\\\1", "C:\\layers\\\\scratch"]}
    del spec["linux"]
    with open(bundle + "/config.json", "w") as file:
        json.dump(spec, file)
    client = direct.connect(direct.start("c", direct.options()))
    error = raises(wire.UNIMPLEMENTED, client.call, "Create",
                   {"id": "c", "bundle": bundle, "options": direct.options()})
    assert "emulated" in error.message, error
    client.call("Shutdown", {"id": "c"})
