# SPDX-License-Identifier: Apache-2.0
"""What a user of ctr sees: run, exec, kill, pause, metrics, events."""
import json
import os

import wire
from harness import any_oci, eventually, ours_only, same
from leftovers import PURE_V2
from terminal import Terminal


@any_oci
def test_run_shows_output_and_passes_the_exit_code_on(cd):
    name = cd.name()
    result = cd.run(name, "sh", "-c", "echo to-out; echo to-err >&2; exit 3")
    same((result.code, result.out, result.err), (3, "to-out\n", "to-err\n"), "ctr run")
    same(cd.events.topics(name), ["create", "start", "exit", "delete"], "events")
    events = dict(cd.events.of(name))
    same(events["exit"]["id"], name, "the id in the exit event of an init process")
    same(events["exit"]["exit_status"], 3, "exit status in the event")
    same({events[topic]["pid"] for topic in events}, {events["start"]["pid"]}, "pids of all events")
    for field in ("pid", "exit_status", "exited_at"):
        same(events["delete"][field], events["exit"][field], field + " of delete and exit")


@any_oci
def test_run_that_ends_at_once_loses_nothing(cd):
    for _ in range(5):
        name = cd.name()
        result = cd.run(name, "true")
        same(result.code, 0, repr(result))
        same(cd.events.wait(name, "delete") and cd.events.topics(name),
             ["create", "start", "exit", "delete"], "events")


@any_oci
def test_death_by_signal_is_128_plus_its_number(cd):
    for number in (9, 15):
        same(cd.run(cd.name(), "sh", "-c", "kill -%d $$; sleep 9" % number,
                    flags=("--with-ns", "pid:/proc/1/ns/pid")).code, 128 + number, "exit code")


@any_oci
def test_terminal_has_a_size_echoes_and_follows_resizes(cd):
    name = cd.name()
    terminal = Terminal(cd.run_command(name, "sh", flags=("--rm", "-t")))
    terminal.type("tty\n")
    terminal.wait("/dev/pts/0")
    for rows, columns in ((31, 97), (13, 41)):
        def sized():  # ctr sets it some time after the start, and is deaf to signals before
            terminal.resize(rows, columns)
            terminal.type("stty size\n")
            return "%d %d" % (rows, columns) in terminal.text
        eventually(sized, "%d rows inside the container" % rows)
    terminal.type("exit 5\n")
    same(terminal.end(), 5, "exit code")


@any_oci
def test_exec_has_output_exit_code_and_events(cd):
    name = cd.run_detached()
    result = cd.ctr("tasks", "exec", "--exec-id", "e1", name, "sh", "-c", "cat; echo err >&2; exit 4",
                    input="through stdin\n")
    same((result.code, result.out, result.err), (4, "through stdin\n", "err\n"), "ctr exec")
    events = cd.events.wait(name, "exit")[2:]
    same([topic for topic, _ in events], ["exec-added", "exec-started", "exit"], "events of the exec")
    same(events[2][1]["id"], "e1", "id in the exit event")
    same(events[2][1]["pid"], events[1][1]["pid"], "pid of exec-started and exit")
    same(events[2][1]["exit_status"], 4, "status in the exit event")
    same(cd.ctr("tasks", "exec", "--exec-id", "e1", name, "true").code, 0, "the same id once more")
    cd.kill_and_delete(name)


@any_oci
def test_exec_on_a_terminal(cd):
    name = cd.run_detached()
    terminal = Terminal(cd.command("tasks", "exec", "-t", "--exec-id", "e", name, "sh"))
    terminal.type("tty && echo $((6 * 7))\n")
    terminal.wait("/dev/pts/")
    terminal.wait("42")
    terminal.type("exit 6\n")
    same(terminal.end(), 6, "exit code")
    cd.kill_and_delete(name)


@any_oci
def test_failed_exec_says_why_and_leaves_the_container_alone(cd):
    name = cd.run_detached()
    result = cd.ctr("tasks", "exec", "--exec-id", "e1", name, "no-such-program")
    assert result.code != 0 and "no-such-program" in result.err, repr(result)
    same(cd.ctr("tasks", "exec", "--exec-id", "e2", name, "true").code, 0, "an exec after it")
    events = cd.events.wait(name, "exit")
    same([(t, e.get("exec_id") or e.get("id")) for t, e in events[2:]],
         [("exec-added", "e1"), ("exec-added", "e2"), ("exec-started", "e2"), ("exit", "e2")], "events")
    cd.kill_and_delete(name)


@any_oci
def test_kill_signals_the_init_process_of_the_container(cd):
    name = cd.run_detached()
    def killed():  # again, for the shell may not have its trap yet
        cd.ctr("tasks", "kill", "-s", "SIGTERM", name)
        return cd.task(name)[1] == "STOPPED"
    eventually(killed, "the end by SIGTERM")
    cd.ctr("tasks", "delete", name, check=True)
    same(cd.events.wait(name, "delete")[-1][1]["exit_status"], 7, "status in the delete event")
    cd.ctr("containers", "delete", name, check=True)


@any_oci
def test_kill_all_reaches_every_process(cd):
    name = cd.run_detached("sh", "-c", "sleep 1000 & sleep 1000 & wait",
                           flags=("--null-io", "--with-ns", "pid:/proc/1/ns/pid"))
    with cd.client(name) as shim:
        eventually(lambda: len(shim.call("Pids", {"id": name})["processes"]) == 3, "three processes")
    cd.ctr("tasks", "kill", "--all", "-s", "SIGKILL", name, check=True)
    cd.wait_status(name, "STOPPED")
    cd.ctr("tasks", "delete", name, check=True)
    same(cd.events.wait(name, "delete")[-1][1]["exit_status"], 137, "status in the delete event")
    cd.ctr("containers", "delete", name, check=True)


@ours_only  # containerd 1.6's own shim has no such order
@any_oci
def test_end_of_init_ends_all_others_in_a_shared_pid_namespace(cd):
    name = cd.run_detached("sh", "-c", "sleep 1000 & sleep 1000 & exec sleep 1000",
                           flags=("--null-io", "--with-ns", "pid:/proc/1/ns/pid"))
    cd.ctr("tasks", "exec", "-d", "--exec-id", "e", "--log-uri", "file://" + cd.dir + "/tmp/e.log",
           name, "sleep", "1000", check=True)
    cd.ctr("tasks", "kill", "-s", "SIGKILL", name, check=True)
    events = cd.events.wait(name, "exit", count=2)
    same([e["id"] for t, e in events if t == "exit"], ["e", name], "init's exit is the last")
    cd.ctr("tasks", "delete", name)
    cd.ctr("containers", "delete", name, check=True)
    os.unlink(cd.dir + "/tmp/e.log")


@any_oci
def test_delete_of_a_running_task_is_refused(cd):
    name = cd.run_detached()
    with cd.client(name) as shim:
        try:
            shim.call("Delete", {"id": name})
            raise AssertionError("a running task was deleted")
        except wire.RpcError as error:
            same(error.code, wire.UNKNOWN, "code")
            assert "running" in error.message, error
    same(cd.task(name)[1], "RUNNING", "status after it")
    cd.kill_and_delete(name)


@any_oci
def test_pause_stops_and_resume_continues(cd):
    name = cd.run_detached()
    cd.ctr("tasks", "pause", name, check=True)
    same(cd.task(name)[1], "PAUSED", "status")
    result = cd.ctr("tasks", "exec", "--exec-id", "e", name, "true")
    assert result.code != 0 and "paused" in result.err, repr(result)
    cd.ctr("tasks", "resume", name, check=True)
    same(cd.task(name)[1], "RUNNING", "status")
    same(cd.events.wait(name, "resumed") and cd.events.topics(name)[2:], ["paused", "resumed"], "events")
    cd.kill_and_delete(name)


@any_oci
def test_kill_of_a_paused_container_ends_it(cd):
    name = cd.run_detached()
    cd.ctr("tasks", "pause", name, check=True)
    cd.ctr("tasks", "kill", "-s", "SIGKILL", name, check=True)
    cd.ctr("tasks", "resume", name)
    cd.wait_status(name, "STOPPED")
    cd.ctr("tasks", "delete", name)
    cd.ctr("containers", "delete", name, check=True)


@any_oci
def test_process_list_names_init_and_execs(cd):
    name = cd.run_detached()
    cd.ctr("tasks", "exec", "-d", "--exec-id", "sleeper", "--log-uri", "file://" + cd.dir + "/tmp/p",
           name, "sleep", "1000", check=True)
    listed = cd.ctr("tasks", "ps", name, check=True).out.splitlines()[1:]
    assert any("sleeper" in line for line in listed), listed
    assert str(cd.task(name)[0]) in [line.split()[0] for line in listed], listed
    cd.kill_and_delete(name)
    os.unlink(cd.dir + "/tmp/p")


@any_oci
def test_metrics_show_the_memory_and_the_processes(cd):
    name = cd.run_detached()
    metrics = json.loads(cd.ctr("tasks", "metrics", "--format", "json", name, check=True).out)
    assert metrics["pids"]["current"] >= 1, metrics
    if PURE_V2:
        memory, cpu = metrics["memory"]["usage"], metrics["cpu"]["usage_usec"]
    else:
        memory, cpu = metrics["memory"]["usage"]["usage"], metrics["cpu"]["usage"]["total"]
    assert memory > 0 and cpu > 0, metrics
    cd.kill_and_delete(name)


@any_oci
def test_out_of_memory_is_an_event_and_exit_137(cd):
    name = cd.name()
    result = cd.run(name, "sh", "-c", "tail /dev/zero", flags=("--memory-limit", str(16 << 20)))
    assert result.code in (137, 1), repr(result)  # 1 where only the child was killed
    cd.events.wait(name, "oom")


@any_oci
def test_failing_create_says_why_and_leaves_nothing(cd):
    name = cd.name()
    result = cd.run(name, "no-such-program")
    assert result.code != 0 and "no-such-program" in result.err, repr(result)
    cd.check_clean()
    same([t for t in cd.events.topics(name) if t != "delete"], [], "events of a failed create")
    cd.ctr("containers", "delete", name)
    same(cd.run(name, "true").code, 0, "the same name once more")


@ours_only
@any_oci
def test_options_file_chooses_root_and_unknown_keys_are_no_error(cd):
    path = cd.dir + "/options.toml"
    with open(path, "w") as file:
        file.write('BinaryName = "%s"\nRoot = "%s/oci-root"\nNoPivotRoot = false\nFrobnicate = 1\n' % (
            cd.world.find(cd.oci), cd.dir))
    name = cd.name()
    cd.run_detached(container=name, flags=("--null-io", "--runtime-config-path", path))
    assert os.listdir("%s/oci-root/%s" % (cd.dir, cd.namespace)) == [name], "state below Root"
    same(cd.ctr("tasks", "exec", "--exec-id", "e", name, "true").code, 0, "exec")
    cd.kill_and_delete(name)
    same(os.listdir("%s/oci-root/%s" % (cd.dir, cd.namespace)), [], "state after delete")
    eventually(lambda: "Frobnicate" in cd.log(), "a warning about the unknown key in the log")


@ours_only
def test_missing_runtime_is_named(cd):
    path = cd.dir + "/missing.toml"
    with open(path, "w") as file:
        file.write('BinaryName = "no-such-runtime"\n')
    name = cd.name()
    result = cd.run(name, "true", flags=("--runtime-config-path", path))
    assert result.code != 0 and "no-such-runtime" in result.err, repr(result)
    cd.ctr("containers", "delete", name)


def test_ten_containers_at_once(cd):
    names = [cd.name() for _ in range(10)]
    running = [Terminal(cd.run_command(n, "sh", "-c", "echo hello-$0; exit 8", n, flags=("--rm",)))
               for n in names]
    for name, terminal in zip(names, running):
        same(terminal.end(30), 8, terminal.text)
        assert "hello-" + name in terminal.text, terminal.text
