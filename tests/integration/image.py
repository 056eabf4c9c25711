# SPDX-License-Identifier: Apache-2.0
"""The one image and root file system of the tests: busybox-static and nothing else."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

NAME = "local.test/busybox:1"
BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), "")
FOLDERS = ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "data")
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n"


def applets():
    return [name for name in subprocess.check_output([BUSYBOX, "--list"], text=True).split()
            if name != "busybox"]


def make_rootfs(folder):
    """Lays the root file system out below `folder`."""
    for name in FOLDERS:
        os.makedirs(os.path.join(folder, name))
    os.chmod(os.path.join(folder, "tmp"), 0o1777)
    with open(BUSYBOX, "rb") as source, open(os.path.join(folder, "bin/busybox"), "wb") as target:
        target.write(source.read())
    os.chmod(os.path.join(folder, "bin/busybox"), 0o755)
    for name in applets():
        os.symlink("busybox", os.path.join(folder, "bin", name))
    for name, text in (("passwd", PASSWD), ("group", "root:x:0:\nuser:x:1000:\n")):
        with open(os.path.join(folder, "etc", name), "w") as file:
            file.write(text)


def _layer(rootfs):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in sorted(os.listdir(rootfs)):
            tar.add(os.path.join(rootfs, name), name)
    return buffer.getvalue()


def _blob(tar, data):
    digest = hashlib.sha256(data).hexdigest()
    info = tarfile.TarInfo("blobs/sha256/" + digest)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
    return {"digest": "sha256:" + digest, "size": len(data)}


def _json(tar, name, value):
    data = json.dumps(value).encode()
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def make_archive(rootfs, path):
    """Packs `rootfs` as an OCI image archive that `ctr images import` takes."""
    layer = _layer(rootfs)
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = {"architecture": architecture, "os": "linux",
              "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
              "rootfs": {"type": "layers",
                         "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    kind = "application/vnd.oci.image."
    with tarfile.open(path, "w") as tar:
        layers = [dict(_blob(tar, layer), mediaType=kind + "layer.v1.tar")]
        manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "layers": layers,
                    "config": dict(_blob(tar, json.dumps(config).encode()),
                                   mediaType=kind + "config.v1+json")}
        entry = dict(_blob(tar, json.dumps(manifest).encode()), mediaType=kind + "manifest.v1+json",
                     annotations={"io.containerd.image.name": NAME,
                                  "org.opencontainers.image.ref.name": "1"})
        _json(tar, "oci-layout", {"imageLayoutVersion": "1.0.0"})
        _json(tar, "index.json", {"schemaVersion": 2, "manifests": [entry]})


MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
]


def make_spec(args, annotations=None, terminal=False, pid_namespace=True, cgroup="", root="rootfs",
              mounts=MOUNTS):
    """A config.json; `root` is the root file system's path, relative to the bundle."""
    capabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN"]
    namespaces = ["mount", "ipc", "uts", "network"] + (["pid"] if pid_namespace else [])
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": terminal, "user": {"uid": 0, "gid": 0}, "args": list(args), "cwd": "/",
            "env": ["PATH=/bin"], "noNewPrivileges": True,
            "capabilities": {name: capabilities for name in ("bounding", "effective", "permitted")},
        },
        "root": {"path": root, "readonly": False},
        "hostname": "test",
        "mounts": mounts,
        "annotations": annotations or {},
        "linux": {"cgroupsPath": cgroup, "namespaces": [{"type": name} for name in namespaces],
                  "resources": {"devices": [{"allow": True, "access": "rwm"}]}},
    }
