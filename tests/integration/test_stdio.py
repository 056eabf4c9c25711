# SPDX-License-Identifier: Apache-2.0
"""What becomes of the bytes: all of them arrive, nobody waits for a reader that is not there."""
import hashlib
import os
import subprocess
import time

from harness import any_oci, descriptors, eventually, ours_only, run, same
from wire import STOPPED

MIB = 1 << 20
LOGGER = """#!/bin/sh
echo "id=$CONTAINER_ID ns=$CONTAINER_NAMESPACE args=$* path=${PATH:-none}" > %(dir)s/facts
%(ready)s
cat <&3 > %(dir)s/out &
cat <&4 > %(dir)s/err
wait
echo done >> %(dir)s/facts
"""


def md5(data):
    return hashlib.md5(data).hexdigest()


@any_oci
def test_large_output_arrives_whole(cd):
    command = "dd if=/dev/urandom of=/tmp/x bs=1M count=20 2>/dev/null; md5sum </tmp/x >&2; cat /tmp/x"
    done = subprocess.run(cd.run_command(cd.name(), "sh", "-c", command, flags=("--rm",)),
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    same(len(done.stdout), 20 * MIB, "bytes")
    same(md5(done.stdout), done.stderr.decode().split()[0], "checksum")


def test_large_input_arrives_whole_and_ends(cd):
    data = os.urandom(5 * MIB)
    done = subprocess.run(cd.run_command(cd.name(), "md5sum", flags=("--rm",)), input=data,
                          capture_output=True, timeout=60)
    same(done.stdout.split()[0].decode(), md5(data), "checksum")


@any_oci
def test_file_log_gets_both_streams(cd):
    path = cd.dir + "/some/deep/folder/log"
    name = cd.run_detached("sh", "-c", "echo one; echo two >&2",
                           flags=("--log-uri", "file://" + path))
    cd.wait_status(name, "STOPPED")
    with open(path) as file:
        same(sorted(file.read().split()), ["one", "two"], "log")
    cd.ctr("tasks", "delete", name)
    cd.ctr("containers", "delete", name, check=True)


def binary_log(cd, ready):
    folder = cd.dir + "/logger-" + cd.name()
    os.mkdir(folder)
    script = folder + "/logger"
    with open(script, "w") as file:
        file.write(LOGGER % {"dir": folder, "ready": ready})
    os.chmod(script, 0o755)
    return folder, "binary://%s?key=value" % script


@ours_only  # containerd 1.6's own shim keeps the pipes open until Delete
@any_oci
def test_binary_log_gets_both_streams_and_their_end(cd):
    folder, uri = binary_log(cd, "echo >&5; exec 5>&-")
    name = cd.run_detached("sh", "-c", "echo one; echo two >&2", flags=("--log-uri", uri))
    cd.wait_status(name, "STOPPED")
    eventually(lambda: "done" in open(folder + "/facts").read(), "the logger's end")
    facts = open(folder + "/facts").read()
    assert "id=%s ns=%s args=key value" % (name, cd.namespace) in facts, facts
    same((open(folder + "/out").read(), open(folder + "/err").read()), ("one\n", "two\n"), "logs")
    cd.ctr("tasks", "delete", name, check=True)
    cd.ctr("containers", "delete", name, check=True)


def test_logger_that_cannot_start_fails_the_create(cd):
    name = cd.name()
    result = run(cd.run_command(name, "true", flags=("-d", "--log-uri", "binary:///no/such/logger")))
    assert result.code != 0 and "/no/such/logger" in result.err, repr(result)
    cd.ctr("containers", "delete", name)


def test_slow_reader_gets_everything(direct):
    io, out, err = direct.outputs("c", reader="later")
    size = 3 * MIB
    client = direct.run("c", ("sh", "-c", "head -c %d /dev/zero; echo end >&2" % size), io=io)
    err.read()
    state = client.call("State", {"id": "c"})
    assert state["status"] != STOPPED, "the process ended though nobody reads its output"
    out.read()
    same(len(out.end()), size, "bytes")
    same(err.end(), "end\n", "stderr")
    same(client.call("Wait", {"id": "c"})["exit_status"], 0, "exit status")
    direct.remove(client, "c")


@ours_only  # the peer's Create waits 30 s for a reader
def test_absent_reader_delays_neither_create_nor_exit(direct):
    io, _, _ = direct.outputs("c", reader="none")
    client = direct.run("c", ("sh", "-c", "echo nobody; exit 3"), io=io)
    same(client.call("Wait", {"id": "c"}, timeout=5)["exit_status"], 3, "exit status")
    direct.sink.wait("c", "exit", timeout=5)
    direct.remove(client, "c")


def test_output_ends_without_waiting_for_delete(direct):
    io, out, err = direct.outputs("c")
    client = direct.run("c", ("echo", "text"), io=io)
    same((out.end(), err.end()), ("text\n", ""), "outputs, at their end")
    client.call("Wait", {"id": "c"})
    direct.remove(client, "c")


def test_stdin_stays_open_when_a_client_detaches_until_close_io(direct):
    io, out, _ = direct.outputs("c", stdin=True)
    client = direct.run("c", ("cat",), io=io)
    for word in ("first", "second"):
        with open(io["stdin"], "w") as stdin:
            stdin.write(word + "\n")
        out.wait(word)
    same(client.call("State", {"id": "c"})["status"], 2, "status after two clients came and went")
    client.call("CloseIO", {"id": "c", "stdin": True})
    same(client.call("Wait", {"id": "c"})["exit_status"], 0, "exit status of cat")
    same(out.end(), "first\nsecond\n", "all output")
    client.call("CloseIO", {"id": "c", "stdin": True})
    direct.remove(client, "c")


@ours_only
def test_close_io_is_not_lost_while_start_is_under_way(direct):
    runtime = direct.stand_in()
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    for held in (True, False):
        exec_id = "held" if held else "early"
        io, out, _ = direct.outputs(exec_id, stdin=True)
        direct.exec(client, "c", exec_id, "cat", io=io, start=False)
        if held:
            runtime.block("exec")
            start = client.send("Start", {"id": "c", "exec_id": exec_id})
            runtime.wait("exec")
            with open(io["stdin"], "w") as stdin:
                stdin.write("text\n")
        client.call("CloseIO", {"id": "c", "exec_id": exec_id, "stdin": True})
        if held:
            runtime.release("exec")
            start.result()
        else:
            client.call("Start", {"id": "c", "exec_id": exec_id})
            with open(io["stdin"], "w") as stdin:
                stdin.write("text\n")
        same(client.call("Wait", {"id": "c", "exec_id": exec_id})["exit_status"], 0, "exit of cat")
        same(out.end(), "text\n", "output of cat, %s" % exec_id)
    direct.finish(client, "c")


def test_background_child_that_holds_stdout_delays_no_exit(direct):
    client = direct.run("c")
    io, out, _ = direct.outputs("e")
    direct.exec(client, "c", "e", "sh", "-c", "echo early; (sleep 2; echo late) & exit 5", io=io)
    began = time.monotonic()
    same(client.call("Wait", {"id": "c", "exec_id": "e"})["exit_status"], 5, "exit status")
    events = direct.sink.wait("c", "exit")
    assert time.monotonic() - began < 1.5, "the exit waited for the child"
    same(events[-1][1]["id"], "e", "whose exit")
    out.wait("early")
    assert not out.ended, "the stream ended though a process still holds it"
    same(out.end(), "early\nlate\n", "all output")
    client.call("Delete", {"id": "c", "exec_id": "e"})
    direct.finish(client, "c")


def test_delete_of_an_exec_ends_its_streams(direct):
    client = direct.run("c")
    io, out, _ = direct.outputs("e")
    direct.exec(client, "c", "e", "sh", "-c", "echo early; sleep 1000 & exit 0", io=io)
    client.call("Wait", {"id": "c", "exec_id": "e"})
    client.call("Delete", {"id": "c", "exec_id": "e"}, timeout=14)
    same(out.end(), "early\n", "output, ended by Delete")
    direct.finish(client, "c")


def test_terminal_output_passes_through_a_console_socket(direct):
    io, out, _ = direct.outputs("c", stdin=True)
    io["stderr"] = ""
    client = direct.run("c", ("sh", "-c", "tty; read x; stty size; echo got $x"), io=io, terminal=True)
    out.wait("/dev/pts/0")
    client.call("ResizePty", {"id": "c", "width": 111, "height": 7})
    with open(io["stdin"], "w") as stdin:
        stdin.write("word\n")
    out.wait("got word")
    assert "7 111" in out.text, out.text
    client.call("Wait", {"id": "c"})
    out.end()
    direct.remove(client, "c")


@ours_only
def test_null_io_holds_no_pipes(direct):
    client = direct.run("c")
    pid = client.call("Connect", {"id": "c"})["shim_pid"]
    pipes = [path for path in descriptors(pid).values() if path.startswith("pipe:")]
    same(pipes, [], "pipes of a shim without stdio")
    direct.finish(client, "c")


@ours_only  # the peer keeps stdin FIFOs that nobody wrote to
def test_execs_leak_no_descriptors(direct):
    client = direct.run("c")
    pid = client.call("Connect", {"id": "c"})["shim_pid"]
    def cycle(exec_id, terminal):
        io, out, _ = direct.outputs(exec_id, stdin=True)
        if terminal:
            io["stderr"] = ""
        direct.exec(client, "c", exec_id, "echo", "x", io=io, terminal=terminal)
        client.call("Wait", {"id": "c", "exec_id": exec_id})
        assert "x" in out.end()
        client.call("Delete", {"id": "c", "exec_id": exec_id})
    cycle("first", False)
    cycle("first-terminal", True)
    before = len(descriptors(pid))
    for number in range(10):
        cycle("e%d" % number, number % 2 == 1)
    eventually(lambda: len(descriptors(pid)) <= before,
               "descriptors to go back to %d, they are %s" % (before, descriptors(pid)), 5)
    direct.finish(client, "c")
