# SPDX-License-Identifier: Apache-2.0
"""The shim is killed in each state of a container; containerd cleans up through `delete`."""
import os
import signal

from harness import any_oci, eventually, ours_only, run, same, shim_pid
from terminal import Terminal


def kill_shim(cd, name):
    """Kills it and checks that everything of the container goes, with the events that say so."""
    os.kill(shim_pid(name), signal.SIGKILL)
    eventually(lambda: cd.task(name) is None, "the task to vanish")
    cd.check_clean()
    run(cd.command("containers", "delete", name), check=True)


@any_oci
def test_killed_while_running(cd):
    name = cd.run_detached("sh", "-c", "sleep 1000 & sleep 1000")
    pid = cd.task(name)[0]
    kill_shim(cd, name)
    events = [event for topic, event in cd.events.wait(name, "delete") if topic == "exit"]
    same([(e["exit_status"], e.get("pid")) for e in events], [(137, pid)], "the exit event")


@any_oci
def test_killed_while_paused(cd):
    name = cd.run_detached()
    cd.ctr("tasks", "pause", name, check=True)
    kill_shim(cd, name)


def test_killed_while_stopped(cd):
    name = cd.run_detached("sh", "-c", "exit 4")
    cd.wait_status(name, "STOPPED")
    kill_shim(cd, name)


@any_oci
def test_killed_with_an_exec_and_a_terminal(cd):
    name = cd.run_detached()
    terminal = Terminal(cd.command("tasks", "exec", "-t", "--exec-id", "e", name, "sh"))
    terminal.type("tty\n")
    terminal.wait("/dev/pts")
    kill_shim(cd, name)
    terminal.process.kill()
    terminal.end()


def test_killed_in_a_shared_pid_namespace(cd):
    name = cd.run_detached("sh", "-c", "sleep 1000 & sleep 1000",
                           flags=("--null-io", "--with-ns", "pid:/proc/1/ns/pid"))
    kill_shim(cd, name)


def test_killed_while_created(direct):
    direct.create("c")
    direct.kill_shim()
    answer = direct.delete("c")
    same(answer["exit_status"], 137, "exit status that delete reports")
    assert answer["pid"] and answer["exited_at"], answer
    direct.check_clean()
    direct.delete("c")  # containerd may call it again


def test_killed_while_create_is_under_way(direct):
    """A runtime that hangs in create: what it made so far must go as well."""
    runtime = direct.stand_in()
    runtime.block("create")
    bundle = direct.bundle("c")
    options = direct.options(binary_name=runtime.path)
    client = direct.connect(direct.start("c", options))
    create = client.send("Create", {"id": "c", "bundle": bundle, "rootfs": direct.rootfs(),
                                    "options": options})
    runtime.wait("create")
    direct.kill_shim()
    create.answers.get(timeout=10)
    runtime.release("create")
    same(direct.delete("c")["exit_status"], 137, "exit status that delete reports")
    direct.check_clean()


@ours_only
def test_socket_of_a_killed_shim_is_replaced(direct):
    direct.run("c")
    direct.kill_shim()
    address = direct.start("c")  # the socket's file is still there
    client = direct.connect(address)
    client.call("Shutdown", {"id": "c"})
    eventually(lambda: not direct.shim_pids(), "the second shim's end")
    same(direct.delete("c")["exit_status"], 137, "exit status that delete reports")
