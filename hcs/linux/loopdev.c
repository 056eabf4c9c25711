/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches image files to loop devices (LOOP_CONFIGURE: Linux 5.8). */
#include "hcs/linux/mount.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define ATTEMPTS 100 /* others look for free devices too, and who configures one first has it */

static int configure(intptr_t device, intptr_t file, const char *path, bool read_only,
                     bool direct_io)
{
    struct loop_config config = {.fd = (uint32_t)file};

    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (read_only)
        config.info.lo_flags |= LO_FLAGS_READ_ONLY;
    if (direct_io)
        config.info.lo_flags |= LO_FLAGS_DIRECT_IO;
    snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path);
    return ioctl((int)device, LOOP_CONFIGURE, &config) == 0 ? 0 : -errno;
}

/* 0; -EBUSY: somebody else took that device. */
static int try_free_device(intptr_t control, intptr_t file, const char *path, bool read_only,
                           bool direct_io, char ret_path[32], intptr_t *ret_device)
{
    cleanup_handle intptr_t device = SHIM_NO_HANDLE;
    int r, number = ioctl((int)control, LOOP_CTL_GET_FREE);

    if (number < 0)
        return -errno;
    snprintf(ret_path, 32, "/dev/loop%d", number);
    device = open(ret_path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (device < 0)
        return errno == ENXIO ? -EBUSY : -errno;
    r = configure(device, file, path, read_only, direct_io);
    if (r < 0)
        return r;
    *ret_device = device;
    device = SHIM_NO_HANDLE;
    return 0;
}

int linux_loop_attach(const char *path, bool read_only, bool direct_io, char ret_path[32],
                      intptr_t *ret_device, struct shim_error *err)
{
    cleanup_handle intptr_t control = SHIM_NO_HANDLE, file = SHIM_NO_HANDLE;
    int r = -EBUSY;

    file = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (file < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s for a loop device", path);
    control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return shim_fail_os(err, (uint32_t)errno, "open /dev/loop-control");
    for (int i = 0; i < ATTEMPTS && r == -EBUSY; i++)
        r = try_free_device(control, file, path, read_only, direct_io, ret_path, ret_device);
    return r == 0 ? 0 : shim_fail_os(err, (uint32_t)-r, "attach %s to a loop device", path);
}
