# SPDX-License-Identifier: Apache-2.0
"""The program's commands, as containerd of every version calls them, without containerd."""
import glob
import hashlib
import json
import os
import re
import signal
import socket
import stat
import struct

import wire
from harness import descriptors, eventually, ours_only, parent, raises, same, shims
from leftovers import CGROUPS, PURE_V2, RUN, alive

LOG_LINE = re.compile(r'^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^"]*" level=[a-z]+ msg=')


def daemon(direct):
    pids = direct.shim_pids()
    same(len(pids), 1, "number of shims")
    return pids[0]


def shut_down(direct, address):
    client = direct.connect(address)
    try:
        client.call("Shutdown", {"id": "c"})
    except wire.Closed:
        assert not direct.world.ours, "no answer to Shutdown"
    eventually(lambda: not direct.shim_pids(), "the shim's end")
    client.close()


def bootstrap(direct, container, **more):
    return wire.encode("BootstrapParams", dict({
        "instance_id": container, "namespace": direct.namespace, "log_level": 0,
        "containerd_version": "2.4.0", "containerd_ttrpc_address": direct.sink.path,
        "containerd_grpc_address": direct.address, "containerd_binary": "/bin/false",
        "extensions": [{"value": direct.options()}]}, **more))


def test_socket_path_is_the_known_hash_and_only_root_may_connect(direct):
    direct.bundle("c")
    address = direct.start("c")
    parts = "%s/%s/%s" % (direct.address, direct.namespace, "c")
    same(address, "unix://%s/s/%s" % (RUN, hashlib.sha256(parts.encode()).hexdigest()), "address")
    path = address.removeprefix("unix://")
    same(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, "rights of others on the socket")
    same(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) & 0o077, 0, "rights on its folder")
    with open(direct.bundle_path("c") + "/address") as file:
        same(file.read(), address, "the bundle's address file")
    shut_down(direct, address)
    assert not os.path.exists(path), "the socket is still there after Shutdown"


def test_options_on_stdin_are_the_old_protocol(direct):
    direct.bundle("c")
    done = direct.invoke("c", "start", stdin=wire.encode("Any", direct.options()))
    same((done.returncode, done.stderr, done.stdout[:8]), (0, b"", b"unix:///"), "start")
    shut_down(direct, done.stdout.decode().strip())


@ours_only
def test_bootstrap_params_are_answered_with_a_bootstrap_result(direct):
    direct.bundle("c")
    folder = direct.dir + "/sockets"
    for level in (0, -8):
        done = direct.invoke("c", "start", stdin=bootstrap(direct, "c", socket_dir=folder,
                                                           log_level=level))
        same((done.returncode, done.stderr), (0, b""), "start")
        result = wire.decode("BootstrapResult", done.stdout)
        same((result["version"], result["protocol"]), (3, "ttrpc"), "result")
        assert result["address"].startswith("unix://%s/" % folder), result
        client = direct.connect(result["address"], wire.TASK_V3)
        same(client.call("Connect", {"id": "c"})["shim_pid"], daemon(direct), "shim pid")
        shut_down(direct, result["address"])


@ours_only
def test_bootstrap_params_of_another_container_are_not_taken(direct):
    direct.bundle("c")
    done = direct.invoke("c", "start", stdin=bootstrap(direct, "other"))
    if done.returncode == 0:
        same(done.stdout[:8], b"unix:///", "the old protocol's answer")
        shut_down(direct, done.stdout.decode().strip())
    else:
        assert done.stderr.strip(), "no message"
    same(direct.shim_pids(), [], "shims")


@ours_only
def test_garbage_and_floods_on_stdin_are_refused(direct):
    direct.bundle("c")
    for what, data in (("garbage", b"\xff" * 64), ("a flood", b"\x0a" * (11 << 20))):
        done = direct.invoke("c", "start", stdin=data)
        same((done.returncode, done.stdout), (1, b""), "start with %s on stdin" % what)
        same(len(done.stderr.decode().strip().splitlines()), 1, "lines on stderr")
    same(direct.shim_pids(), [], "shims")


@ours_only
def test_flags_in_every_go_form(direct):
    direct.bundle("c")
    argv = ["--namespace=" + direct.namespace, "-address=" + direct.address, "--publish-binary",
            "/bin/false", "-id=c", "-debug=true", "start"]
    done = direct.invoke("c", argv=argv)
    same((done.returncode, done.stderr), (0, b""), "start")
    shut_down(direct, done.stdout.decode().strip())


def test_wrong_command_lines_are_refused_with_a_message(direct):
    direct.bundle("c")
    good = direct.flags("c")
    for why, argv in (("unknown flag", ["-frobnicate"] + good + ["start"]),
                      ("no namespace", ["-namespace", ""] + good[2:] + ["start"])):
        done = direct.invoke("c", argv=argv)
        assert done.returncode != 0 and done.stderr.strip(), "%s: %r" % (why, done)
        same(direct.shim_pids(), [], "shims after: " + why)


@ours_only
def test_unknown_action_is_refused(direct):
    direct.bundle("c")
    done = direct.invoke("c", "frobnicate")
    assert done.returncode != 0 and b"frobnicate" in done.stderr, repr(done)


def test_version_is_printed(direct):
    direct.bundle("c")
    done = direct.invoke("c", argv=["-v"])
    same(done.returncode, 0, "exit code")
    assert os.path.basename(direct.world.shim).encode() in done.stdout.splitlines()[0], done.stdout


@ours_only
def test_info_has_a_name_and_the_features_of_the_runtime(direct):
    direct.bundle("c")
    done = direct.invoke("c", argv=["-info"])
    same((done.returncode, done.stderr), (0, b""), "-info")
    info = wire.decode("RuntimeInfo", done.stdout)
    same(info["name"], direct.world.runtime, "name")
    assert info["version"]["version"], info
    features = json.loads(info["features"]["value"])
    assert "rro" in features["mountOptions"], features
    assert features["linux"]["namespaces"], features


def test_daemon_keeps_the_flags_that_tools_look_for(direct):
    direct.bundle("c")
    address = direct.start("c")
    argv = shims()[daemon(direct)]
    for flag, value in (("-namespace", direct.namespace), ("-id", "c"), ("-address", direct.address)):
        same(argv[argv.index(flag) + 1], value, flag)
    shut_down(direct, address)


def test_daemon_inherits_no_descriptors(direct):
    direct.bundle("c")
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        done = direct.invoke("c", "start", pass_fds=(writer,))
        held = os.readlink("/proc/self/fd/%d" % writer)
        found = descriptors(daemon(direct))
        if direct.world.ours:
            assert held not in found.values(), "the shim holds a descriptor of its caller: %s" % found
            assert all(os.path.basename(found[fd]) in ("null", "log") for fd in (0, 1, 2)), found
        shut_down(direct, done.stdout.decode().strip())
    finally:
        os.close(reader)
        os.close(writer)


def test_oom_score_is_one_above_containerds(direct):
    direct.bundle("c")
    with open("/proc/self/oom_score_adj") as file:
        before = file.read()
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("37")
    try:
        address = direct.start("c")
        with open("/proc/%d/oom_score_adj" % daemon(direct)) as file:
            same(file.read().strip(), "38", "the shim's oom_score_adj")
    finally:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(before)
    shut_down(direct, address)


def test_shim_goes_into_its_cgroup(direct):
    parents = [CGROUPS + "/"] if PURE_V2 else glob.glob(CGROUPS + "/*/")
    paths = ["%s%s" % (parent, direct.namespace + "-shim") for parent in parents]
    for parent, path in zip(parents, paths):
        os.mkdir(path)
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group of v1, which then takes nobody
            if os.path.exists(parent + name):
                with open(parent + name) as source, open(path + "/" + name, "w") as target:
                    target.write(source.read())
    try:
        direct.bundle("c")
        address = direct.start("c", direct.options(shim_cgroup="/%s-shim" % direct.namespace))
        with open("/proc/%d/cgroup" % daemon(direct)) as file:
            lines = [line.strip() for line in file]
        inside = [line for line in lines if line.endswith("/%s-shim" % direct.namespace)]
        assert len(inside) >= len(lines) - 1, lines
        shut_down(direct, address)
    finally:
        for path in paths:
            eventually(lambda: not open(path + "/cgroup.procs").read(), "an empty cgroup")
            os.rmdir(path)


def test_stale_socket_is_replaced(direct):
    direct.bundle("c")
    parts = "%s/%s/%s" % (direct.address, direct.namespace, "c")
    path = "%s/s/%s" % (RUN, hashlib.sha256(parts.encode()).hexdigest())
    os.makedirs(os.path.dirname(path), exist_ok=True)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    address = direct.start("c")
    same(direct.connect(address).call("Connect", {"id": "c"})["shim_pid"], daemon(direct), "pid")
    shut_down(direct, address)


def test_sigterm_ends_it_and_removes_the_socket(direct):
    direct.bundle("c")
    path = direct.start("c").removeprefix("unix://")
    os.kill(daemon(direct), signal.SIGTERM)
    eventually(lambda: not direct.shim_pids(), "the shim's end")
    assert not os.path.exists(path) or not direct.world.ours, "the socket is still there"


@ours_only
def test_sigusr1_writes_the_state_to_the_log(direct):
    client = direct.run("c")
    os.kill(daemon(direct), signal.SIGUSR1)
    eventually(lambda: "running" in direct.log("c").lower(), "the state in the log")
    lines = direct.log("c").splitlines()
    wrong = [line for line in lines if not LOG_LINE.match(line)]
    same(wrong, [], "log lines that are not in logrus' form")
    direct.finish(client, "c")


@ours_only
def test_debug_flag_makes_the_log_talk(direct):
    direct.bundle("c")
    done = direct.invoke("c", argv=direct.flags("c") + ["-debug", "start"])
    client = direct.connect(done.stdout.decode().strip())
    client.call("Connect", {"id": "c"})
    eventually(lambda: "level=debug" in direct.log("c"), "a debug line in the log")
    client.call("Shutdown", {"id": "c"})


def test_shim_survives_a_closed_log(direct):
    client = direct.run("c")
    fd = direct.logs.pop("c")[0]
    os.close(fd)
    for _ in range(20):
        raises(wire.NOT_FOUND, client.call, "State", {"id": "unknown"})
    direct.finish(client, "c")


def test_unknown_services_and_methods_are_code_12(direct):
    direct.bundle("c")
    address = direct.start("c")
    client = direct.connect(address)
    raises(wire.UNIMPLEMENTED, client.call, "Connect", {"id": "c"}, service="some.other.Service")
    call = client.send("Connect", service=wire.TASK_V2, payload=b"")
    same(call.result()["shim_pid"], daemon(direct), "an empty request")
    shut_down(direct, address)


@ours_only
def test_both_task_services_are_served_on_one_connection(direct):
    direct.bundle("c")
    address = direct.start("c")
    client = direct.connect(address)
    for service in (wire.TASK_V2, wire.TASK_V3):
        same(client.call("Connect", {"id": "c"}, service=service)["shim_pid"], daemon(direct), service)
    shut_down(direct, address)


@ours_only
def test_sandbox_has_a_life_of_its_own_and_may_lack_a_spec(direct):
    bundle = direct.bundle("s")
    os.unlink(bundle + "/config.json")
    client = direct.connect(direct.start("s"), wire.SANDBOX)
    sandbox = {"sandbox_id": "s"}
    client.call("CreateSandbox", dict(sandbox, bundle_path=bundle))
    assert client.call("StartSandbox", sandbox)["created_at"], "no time of creation"
    same(client.call("Platform", sandbox)["platform"]["os"], "linux", "platform")
    client.call("PingSandbox", sandbox)
    same(client.call("SandboxStatus", sandbox)["state"], "SANDBOX_READY", "state")
    wait = client.send("WaitSandbox", sandbox)
    assert not wait.done, "WaitSandbox was answered before the end"
    client.call("StopSandbox", dict(sandbox, timeout_secs=5))
    wait.result()
    client.call("ShutdownSandbox", sandbox)
    eventually(lambda: not direct.shim_pids(), "the shim's end")


def test_broken_frames_end_at_most_their_connection(direct):
    client = direct.run("c")
    path = client.sock.getpeername()
    for data in (b"", b"\0\0\0\5", struct.pack(">IIBB", 0xFFFFFFFF, 1, 1, 0) + b"x" * 100,
                 wire.frame(1, 1, b"\xff" * 100), wire.frame(2, 1, b""), wire.frame(1, 99, b"?"),
                 os.urandom(4096)):
        with socket.socket(socket.AF_UNIX) as hostile:
            hostile.connect(path)
            hostile.sendall(data)
    same(client.call("State", {"id": "c"})["status"], wire.RUNNING, "status after it")
    direct.finish(client, "c")


def test_unknown_container_is_not_found_everywhere(direct):
    direct.bundle("c")
    address = direct.start("c")
    client = direct.connect(address)
    for method in ("State", "Start", "Delete", "Pids", "Pause", "Resume", "Kill", "Wait", "Stats"):
        raises(wire.NOT_FOUND, client.call, method, {"id": "nobody"})
    shut_down(direct, address)


@ours_only
def test_delete_of_half_built_bundles_succeeds_again_and_again(direct):
    full = direct.bundle("full")
    bare = direct.bundle_path("bare")
    os.makedirs(bare)
    for container in ("full", "bare"):
        for _ in range(2):
            same(direct.delete(container)["exit_status"], 137, "status for " + container)
    assert os.path.exists(full + "/config.json"), "delete removed files of the bundle"


@ours_only
def test_delete_leaves_a_serving_shim_alone(direct):
    annotations = {"io.containerd.runc.v2.group": "pod"}
    client = direct.run("one", annotations=annotations)
    direct.bundle("two", annotations=annotations)
    direct.delete("two")
    same(client.call("State", {"id": "one"})["status"], wire.RUNNING, "the other container")
    direct.connect(direct.start("two", direct.options())).call("Connect", {"id": "two"})
    direct.finish(client, "one")


@ours_only
def test_runtime_gets_no_descriptors_of_the_shim(direct):
    runtime = direct.stand_in()
    runtime.block("start")
    client = direct.create("c", options=direct.options(binary_name=runtime.path))
    start = client.send("Start", {"id": "c"})
    pid = runtime.wait("start")
    sockets = [path for fd, path in descriptors(pid).items() if path.startswith("socket:")]
    same(sockets, [], "sockets that the runtime inherited")
    same(parent(pid), daemon(direct), "the runtime's parent")
    runtime.release("start")
    start.result()
    direct.finish(client, "c")
    assert not alive(pid)
