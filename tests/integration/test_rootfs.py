# SPDX-License-Identifier: Apache-2.0
"""The mounts of a Create request."""
import os
import subprocess
import tempfile

import wire
from harness import Skip, ours_only, same


def marked(direct, name, text):
    """A folder with a file `name`."""
    folder = tempfile.mkdtemp(prefix="layer", dir=direct.dir)
    with open("%s/%s" % (folder, name), "w") as file:
        file.write(text)
    return folder


def output_of(direct, rootfs, args, **kwargs):
    io, out, _ = direct.outputs("c")
    client = direct.run("c", args, rootfs=rootfs, io=io, **kwargs)
    text = out.end()
    client.call("Wait", {"id": "c"})
    direct.remove(client, "c")
    return text


def test_overlay_with_data_longer_than_a_page(direct):
    layers = []
    base = direct.dir + "/" + "long-name-of-a-folder-" * 8
    os.mkdir(base)
    for number in range(40):
        layers.append("%s/layer-%d" % (base, number))
        os.mkdir(layers[-1])
        with open("%s/file-%d" % (layers[-1], number), "w") as file:
            file.write(str(number))
    os.symlink(direct.world.rootfs, base + "/rootfs")  # a common parent makes all of them short
    lower = ":".join(layers + [base + "/rootfs"])
    assert len(lower) > 4096, len(lower)
    mount = dict(direct.rootfs()[0])
    mount["options"] = [o for o in mount["options"] if not o.startswith("lowerdir")] + ["lowerdir=" + lower]
    same(output_of(direct, [mount], ("cat", "/file-0", "/file-39")), "039", "files of two layers")


def test_bind_read_only(direct):
    mount = {"type": "bind", "source": direct.world.rootfs, "options": ["rbind", "ro"]}
    text = output_of(direct, [mount], ("sh", "-c", "touch /x 2>&1 || echo refused"))
    assert "refused" in text, text
    assert not os.path.exists(direct.world.rootfs + "/x")


def test_loop_device_is_attached_and_goes_again(direct):
    if not os.path.exists("/dev/loop-control"):
        raise Skip("no loop devices here")
    image = direct.dir + "/disk"
    with open(image, "w") as file:
        file.truncate(16 << 20)
    subprocess.check_call(["/sbin/mke2fs", "-q", "-F", "-d", direct.world.rootfs, image])
    before = subprocess.check_output(["losetup", "-a"])
    text = output_of(direct, [{"type": "ext4", "source": image, "options": ["loop"]}],
                     ("sh", "-c", "echo marked >/marker; cat /marker; grep -c ' / ext4' /proc/mounts"))
    same(text, "marked\n1\n", "output")
    same(subprocess.check_output(["losetup", "-a"]), before, "loop devices")


def test_later_mounts_go_on_top_and_into_a_target(direct):
    top = marked(direct, "marker", "from the second mount\n")
    rootfs = direct.rootfs() + [{"type": "bind", "source": top, "target": "data", "options": ["rbind"]}]
    if not direct.world.ours:  # containerd 1.6's own shim knows no target
        rootfs = direct.rootfs()
    text = output_of(direct, rootfs, ("sh", "-c", "cat /data/marker || true"))
    assert not direct.world.ours or text == "from the second mount\n", text


@ours_only
def test_target_cannot_leave_the_rootfs(direct):
    evil = tempfile.mkdtemp(prefix="evil", dir=direct.dir)
    outside = tempfile.mkdtemp(prefix="outside", dir=direct.dir)
    for name in os.listdir(direct.world.rootfs):
        os.symlink(direct.world.rootfs + "/" + name, evil + "/" + name)
    os.unlink(evil + "/data")
    os.symlink(outside, evil + "/data")
    source = marked(direct, "marker", "x")
    bundle = direct.bundle("c")
    client = direct.connect(direct.start("c", direct.options()))
    rootfs = [{"type": "bind", "source": evil, "options": ["rbind"]},
              {"type": "bind", "source": source, "target": "data", "options": ["rbind"]}]
    try:
        client.call("Create", {"id": "c", "bundle": bundle, "rootfs": rootfs, "options": direct.options()})
    except wire.RpcError:
        pass
    with open("/proc/%d/mountinfo" % direct.shim_pids()[0]) as file:
        assert outside not in file.read(), "the mount went outside the rootfs"
    client.call("Kill", {"id": "c", "signal": 9}) if client.call("Connect", {"id": "c"})["task_pid"] else 0
    client.call("Shutdown", {"id": "c"})


def test_failing_mount_names_everything_and_leaves_nothing(direct):
    bundle = direct.bundle("c")
    client = direct.connect(direct.start("c", direct.options()))
    rootfs = direct.rootfs() + [{"type": "bind", "source": "/no/such/source", "options": ["rbind"]}]
    try:
        client.call("Create", {"id": "c", "bundle": bundle, "rootfs": rootfs, "options": direct.options()})
        raise AssertionError("a mount of nothing worked")
    except wire.RpcError as error:
        assert "/no/such/source" in error.message or not direct.world.ours, error
        assert "no such file" in error.message.lower(), error
    same(direct.sink.of("c"), [], "events")
    assert not os.path.ismount(bundle + "/rootfs"), "the first mount is still there"
    client.call("Shutdown", {"id": "c"})
