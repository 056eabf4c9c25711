# SPDX-License-Identifier: Apache-2.0
"""Checkpoint and restore. criu needs a kernel that few test machines have, so a stand-in for the OCI
runtime proves the command lines and what the shim makes of the outcome."""
import os

import wire
from harness import ours_only, raises, same

RESTORE = """
while [ $# -gt 0 ]; do
    [ "$1" != --pid-file ] || file=$2
    shift
done
/bin/sleep 1000 </dev/null >/dev/null 2>&1 &
printf %s $! >"$file"
exit 0
"""
KILL = 'read pid <%s/init.pid; kill -9 "$pid" 2>/dev/null; exit 0\n'


def after(words, *expected):
    """The part of a command line from its command on, which must contain `expected` in order."""
    at = 0
    for word in expected:
        assert word in words[at:], "%r lacks %r after place %d" % (words, word, at)
        at = words.index(word, at) + 1
    return words


def checkpoint(direct, client, **options):
    request = {"id": "c", "path": direct.dir + "/image"}
    request["options"] = wire.any_of("containerd.runc.v1.CheckpointOptions", options)
    os.makedirs(request["path"], exist_ok=True)
    client.call("Checkpoint", request)


def test_checkpoint_tells_the_runtime_every_option(direct):
    runtime = direct.stand_in()
    runtime.answer("checkpoint", "exit 0\n")
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    checkpoint(direct, client)
    checkpoint(direct, client, exit=True, open_tcp=True, external_unix_sockets=True, terminal=True,
               file_locks=True, empty_namespaces=["network", "ipc"], work_path=direct.dir + "/criu")
    plain, full = runtime.calls("checkpoint")
    after(plain, "--root", direct.root + "/" + direct.namespace, "checkpoint", "--image-path",
          direct.dir + "/image")
    same((plain[-1], "--leave-running" in plain), ("c", True), "id, and whether it goes on running")
    assert "--leave-running" not in full, full
    after(full, "--work-path", direct.dir + "/criu")
    for flag in ("--tcp-established", "--ext-unix-sk", "--shell-job", "--file-locks"):
        assert flag in full and flag not in plain, flag
    same([full[at + 1] for at, word in enumerate(full) if word == "--empty-ns"], ["network", "ipc"],
         "empty namespaces")
    if direct.world.ours:
        direct.sink.wait("c", "checkpointed", count=2)
    direct.finish(client, "c")


def test_failed_checkpoint_gives_the_reason_and_keeps_crius_log(direct):
    runtime = direct.stand_in()
    work = direct.dir + "/criu"
    os.mkdir(work)
    runtime.answer("checkpoint", '[ "$2" != --help ] || exit 0\n'
                   "echo criu-says >%s/dump.log; echo no-luck >&2; exit 1\n" % work)
    client = direct.run("c", options=direct.options(binary_name=runtime.path))
    try:
        checkpoint(direct, client, work_path=work)
        raise AssertionError("a failed checkpoint was reported as done")
    except wire.RpcError as error:
        assert "no-luck" in error.message or "criu" in error.message, error
    with open(direct.bundle_path("c") + "/criu-dump.log") as file:
        same(file.read(), "criu-says\n", "criu-dump.log")
    same(client.call("State", {"id": "c"})["status"], wire.RUNNING, "status")
    direct.finish(client, "c")


def test_restore_happens_at_start_with_the_image(direct):
    runtime = direct.stand_in()
    bundle = direct.bundle_path("c")
    runtime.answer("restore", RESTORE)
    runtime.answer("kill", KILL % bundle)
    runtime.answer("delete", "exit 0\n")
    os.mkdir(direct.dir + "/image")
    options = direct.options(binary_name=runtime.path)
    client = direct.create("c", options=options, request={"checkpoint": direct.dir + "/image"})
    state = client.call("State", {"id": "c"})
    same((state["status"], state["pid"]), (wire.CREATED, 0), "status and pid before the restore")
    pid = client.call("Start", {"id": "c"})["pid"]
    restore = after(runtime.calls("restore")[0], "restore", "--image-path", direct.dir + "/image")
    after(restore, "--work-path")
    after(restore, "--bundle", bundle)
    for flag in ("--detach", "-no-subreaper", "--pid-file"):
        assert any(word.endswith(flag) for word in restore), restore
    assert not runtime.calls("create"), "created although it was to be restored"
    with open(bundle + "/init.pid") as file:
        same(int(file.read()), pid, "pid of the restored process")
    answer = direct.finish(client, "c")
    same((answer["pid"], answer["exit_status"]), (pid, 137), "answer of Delete")


@ours_only
def test_runtime_without_checkpoints_is_named(crun_direct):
    client = crun_direct.run("c")
    error = raises(wire.UNIMPLEMENTED, client.call, "Checkpoint",
                   {"id": "c", "path": crun_direct.dir + "/image"})
    assert "crun" in error.message, error
    crun_direct.finish(client, "c")
