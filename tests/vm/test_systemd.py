# SPDX-License-Identifier: Apache-2.0
"""Containers whose cgroups are systemd's: scopes on cgroup v2, with the runtime's SystemdCgroup."""
import glob
import json
import os
import signal

import wire
from containerd import Containerd
from harness import eventually, raises, run, same, shim_pid
from leftovers import CGROUPS, Watch

MIB = 1 << 20
SLICE = "system.slice"


def cgroup_of(pid):
    """The path in the one hierarchy there is."""
    with open("/proc/%s/cgroup" % pid) as file:
        return file.read().strip().removeprefix("0::")


def read(folder, name):
    with open("%s/%s" % (folder, name)) as file:
        return file.read()


class SystemdWatch(Watch):
    """Knows what is ours without a pid namespace: what is in the tests' own cgroup or in a scope."""

    def __init__(self, containerd):
        super().__init__(containerd.dir, containerd.namespace, os.getpid, containerd.watch.folders,
                         containerd.watch.pids, True)

    def _scopes(self):
        return "%s/%s/%s-*.scope" % (CGROUPS, SLICE, self.namespace)

    def _cgroups(self):
        return [path + "/" for path in glob.glob(self._scopes())]

    def _processes(self):
        scopes = "/%s/%s-" % (SLICE, self.namespace)
        found = []
        for line in super()._processes():
            try:
                group = cgroup_of(line.split()[0])
            except OSError:
                continue
            if group == cgroup_of("self") or group.startswith(scopes):
                found.append(line)
        return found

    def found(self):
        units = run(["systemctl", "list-units", "--all", "--plain", "--no-legend",
                     self.namespace + "-*.scope"], check=True).out.splitlines()
        return super().found() + ["unit " + line.split()[0] for line in units]


class SystemdContainerd(Containerd):
    """Its shims are told to leave cgroups to systemd, as on most Kubernetes nodes."""

    def __init__(self, world, oci):
        super().__init__(world, oci)
        self.watch = SystemdWatch(self)
        with open(self.dir + "/options.toml", "w") as file:
            file.write("SystemdCgroup = true\n")

    def run_command(self, container, *args, flags=()):
        systemd = ["--runtime-config-path", self.dir + "/options.toml",
                   "--cgroup", "%s:%s:%s" % (SLICE, self.namespace, container)]
        return super().run_command(container, *args, flags=[*systemd, *flags])

    def scope(self, container):
        return "%s-%s.scope" % (self.namespace, container)

    def cgroup(self, container):
        """The folder of the task's cgroup."""
        return CGROUPS + cgroup_of(self.task(container)[0])

    def metrics(self, container):
        return json.loads(self.ctr("tasks", "metrics", "--format", "json", container,
                                   check=True).out)


def two_sleepers(cd, *flags):
    return cd.run_detached("sh", "-c", "sleep 1000 & exec sleep 1000", flags=("--null-io", *flags))


def test_cgroup_is_a_scope_of_systemd(cd):
    name = cd.run_detached()
    path = "/%s/%s" % (SLICE, cd.scope(name))
    group = cgroup_of(cd.task(name)[0])
    assert group == path or group.startswith(path + "/"), group
    same(run(["systemctl", "is-active", cd.scope(name)]).out, "active\n", "the unit")
    same(cgroup_of(shim_pid(name)), cgroup_of(cd.process.pid), "the shim's own cgroup")
    cd.kill_and_delete(name)


def test_exec_joins_the_scope_and_is_listed(cd):
    name = two_sleepers(cd)
    cd.ctr("tasks", "exec", "-d", "--exec-id", "e", "--log-uri", "file://" + cd.dir + "/tmp/e", name,
           "sleep", "1000", check=True)
    listed = {int(line.split()[0]) for line in
              cd.ctr("tasks", "ps", name, check=True).out.splitlines()[1:]}
    assert cd.task(name)[0] in listed and len(listed) == 3, listed
    for pid in listed:
        assert "/%s/" % cd.scope(name) in cgroup_of(pid) + "/", (pid, cgroup_of(pid))
    cd.kill_and_delete(name)
    os.unlink(cd.dir + "/tmp/e")


def test_metrics_are_those_of_version_2(cd):
    name = cd.run_detached("sh", "-c", "sleep 1000 & while :; do :; done",
                           flags=("--null-io", "--memory-limit", str(64 * MIB)))
    with cd.client(name) as shim:
        same(shim.call("Stats", {"id": name})["stats"]["type_url"], "io.containerd.cgroups.v2.Metrics",
             "type of the statistics")
    first = cd.metrics(name)
    same(first["memory"]["usage_limit"], 64 * MIB, "memory limit")
    assert 0 < first["memory"]["usage"] < 64 * MIB, first["memory"]
    same(first["pids"]["current"], 2, "processes")
    assert first["cpu"]["usage_usec"] > 0, first["cpu"]
    eventually(lambda: cd.metrics(name)["cpu"]["usage_usec"] > first["cpu"]["usage_usec"] + 10000,
               "10 ms more of processor time")
    cd.kill_and_delete(name)


def test_metrics_outlive_the_scope(cd):
    name = two_sleepers(cd)
    before = cd.metrics(name)
    cd.ctr("tasks", "kill", "-s", "SIGKILL", name, check=True)
    cd.wait_status(name, "STOPPED")
    eventually(lambda: cd.scope(name) not in str(cd.watch.found()), "the end of the scope")
    after = cd.metrics(name)
    assert after["cpu"]["usage_usec"] >= before["cpu"]["usage_usec"], (before, after)
    cd.ctr("tasks", "delete", name)
    cd.ctr("containers", "delete", name, check=True)


def run_out_of_memory(cd):
    name = cd.name()
    result = cd.run(name, "sh", "-c", "exec tail /dev/zero", flags=("--memory-limit", str(16 * MIB)))
    same(result.code, 137, repr(result))
    cd.events.wait(name, "delete")
    return sorted(set(cd.events.topics(name)))


def test_out_of_memory_is_an_event_and_exit_137(cd):
    """systemd removes an empty scope at once, on a slow machine now and then before anybody could
    read there why init died: one of three must be told."""
    for _ in range(3):
        topics = run_out_of_memory(cd)
        if "oom" in topics:
            break
    same(topics, ["create", "delete", "exit", "oom", "start"], "events")


def test_out_of_memory_of_a_child_leaves_the_container(cd):
    name = cd.run_detached("sh", "-c", "tail /dev/zero; while :; do sleep 0.05; done",
                           flags=("--null-io", "--memory-limit", str(16 * MIB)))
    cd.events.wait(name, "oom")
    same(cd.task(name)[1], "RUNNING", "status")
    same(cd.metrics(name)["memory_events"]["oom_kill"], 1, "kills in the statistics")
    cd.kill_and_delete(name)


def test_update_changes_the_limit(cd):
    name = cd.run_detached()
    resources = {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
                 "value": json.dumps({"memory": {"limit": 128 * MIB}}).encode()}
    with cd.client(name) as shim:
        shim.call("Update", {"id": name, "resources": resources})
    same(read(cd.cgroup(name), "memory.max"), "%d\n" % (128 * MIB), "memory.max")
    same(cd.metrics(name)["memory"]["usage_limit"], 128 * MIB, "memory limit in the statistics")
    cd.kill_and_delete(name)


def test_pause_freezes_the_cgroup_until_resume(cd):
    name = two_sleepers(cd)
    folder = cd.cgroup(name)
    def frozen():
        return "frozen 1" in read(folder, "cgroup.events")
    cd.ctr("tasks", "pause", name, check=True)
    same(cd.task(name)[1], "PAUSED", "status")
    assert frozen(), read(folder, "cgroup.events")
    cd.ctr("tasks", "resume", name, check=True)
    same(cd.task(name)[1], "RUNNING", "status")
    assert not frozen(), read(folder, "cgroup.events")
    cd.kill_and_delete(name)


def test_kill_of_a_paused_container_ends_it(cd):
    name = two_sleepers(cd)
    cd.ctr("tasks", "pause", name, check=True)
    cd.kill_and_delete(name)


def test_kill_all_reaches_every_process(cd):
    name = cd.run_detached("sh", "-c", "sleep 1000 & sleep 1000 & wait",
                           flags=("--null-io", "--with-ns", "pid:/proc/1/ns/pid"))
    with cd.client(name) as shim:
        eventually(lambda: len(shim.call("Pids", {"id": name})["processes"]) == 3, "three processes")
        cd.ctr("tasks", "kill", "--all", "-s", "SIGKILL", name, check=True)
        cd.wait_status(name, "STOPPED")
        raises(wire.NOT_FOUND, shim.call, "Kill", {"id": name, "signal": 9})
    cd.ctr("tasks", "delete", name, check=True)
    cd.ctr("containers", "delete", name, check=True)


def check_killed_shim(cd, name):
    os.kill(shim_pid(name), signal.SIGKILL)
    eventually(lambda: cd.task(name) is None, "the task to vanish")
    cd.check_clean()
    cd.ctr("containers", "delete", name, check=True)


def test_killed_shim_leaves_neither_scope_nor_processes(cd):
    check_killed_shim(cd, two_sleepers(cd))


def test_killed_shim_of_a_paused_container_leaves_nothing(cd):
    name = two_sleepers(cd)
    cd.ctr("tasks", "pause", name, check=True)
    check_killed_shim(cd, name)


def test_killed_shim_in_a_shared_pid_namespace_leaves_nothing(cd):
    check_killed_shim(cd, two_sleepers(cd, "--with-ns", "pid:/proc/1/ns/pid"))
