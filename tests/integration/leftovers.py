# SPDX-License-Identifier: Apache-2.0
"""Finds and removes what containers may leave behind on the machine."""
import contextlib
import glob
import os
import shutil
import signal

CGROUPS = "/sys/fs/cgroup"
PURE_V2 = os.path.exists(CGROUPS + "/cgroup.controllers")
RUN = "/run/containerd"  # a tmpfs of the tests' own, see run.py


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes():
    """pid -> argv of every live process of this pid namespace."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and alive(int(name)):
            with contextlib.suppress(OSError), open("/proc/%s/cmdline" % name, "rb") as file:
                found[int(name)] = file.read().decode(errors="replace").split("\0")[:-1]
    return found


class Watch:
    """Looks at one folder, one containerd namespace and all processes there are.

    mount_pid: a process that sees the mounts; folders: must be empty; pids(): those that may live;
    sockets: whether stale sockets count (containerd's own shim leaves them when it is killed).
    """

    def __init__(self, top, namespace, mount_pid, folders, pids, sockets):
        self.top, self.namespace, self.mount_pid = top, namespace, mount_pid
        self.folders = list(folders) + ["%s/runc/%s" % (RUN, namespace)]
        self.folders += [RUN + "/s"] if sockets else []
        self.pids = pids
        self.before = set(processes())

    def _mounts(self):
        with open("/proc/%d/mountinfo" % self.mount_pid()) as file:
            points = [line.split()[4] for line in file]
        return [point for point in points if point.startswith(self.top + "/")]

    def _cgroups(self):
        return [path for pattern in ("/%s/*/", "/*/%s/*/")
                for path in glob.glob(CGROUPS + pattern % self.namespace)]

    def _processes(self):
        mine = self.pids() | self.before
        return ["%d %s" % (pid, " ".join(argv)) for pid, argv in processes().items()
                if pid not in mine]

    def _files(self):
        found = []
        for folder in self.folders:
            with contextlib.suppress(FileNotFoundError):
                found += [folder + "/" + name for name in os.listdir(folder)]
        return found

    def found(self):
        """Descriptions, "KIND WHAT"; empty when nothing stayed behind."""
        return [kind + " " + what for kind, probe in (
            ("process", self._processes), ("mount", self._mounts), ("cgroup", self._cgroups),
            ("file", self._files)) for what in probe()]

    def remove(self):
        """Removes what it finds; processes are only told to die."""
        for path in self._cgroups():  # frozen processes do not die
            for name, text in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                if os.path.exists(path + name):
                    with open(path + name, "w") as file:
                        file.write(text)
        for what in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(what.split()[0]), signal.SIGKILL)
        for point in reversed(self._mounts()):
            os.system("nsenter -m -t %d umount -l '%s'" % (self.mount_pid(), point))
        for path in self._cgroups():
            with contextlib.suppress(OSError):
                os.rmdir(path)
        for path in self._files():
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def remove_namespace(self):
        """Removes the cgroups of the whole containerd namespace, once nothing uses them."""
        for path in glob.glob("%s/%s" % (CGROUPS, self.namespace)) + \
                glob.glob("%s/*/%s" % (CGROUPS, self.namespace)):
            with contextlib.suppress(OSError):
                os.rmdir(path)
