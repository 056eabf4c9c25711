/* SPDX-License-Identifier: Apache-2.0 */
/* Opens FIFOs, terminals and log files without waiting for anybody. */
#include "shim/posix/fifo.h"
#include "base/file.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void shim_fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Opens what `handle` (O_PATH) stands for, so that no renaming can put something else there. */
static int reopen(int handle, int flags)
{
    char name[64];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", handle);
    return open(name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int open_handle(const char *path, int *ret, struct stat *ret_stat, struct shim_error *err)
{
    cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0 || fstat(fd, ret_stat) < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", path);
    *ret = take_fd(&fd);
    return 0;
}

/* The reader is there first, so that opening the writer cannot fail for want of one. */
static int open_ends(int handle, const char *path, int *ret_reader, int *ret_writer,
                     struct shim_error *err)
{
    cleanup_fd int reader = reopen(handle, O_RDONLY);
    cleanup_fd int writer = -1;

    if (reader < 0)
        return shim_fail_os(err, (uint32_t)errno, "open FIFO %s for reading", path);
    writer = reopen(handle, O_WRONLY);
    if (writer < 0)
        return shim_fail_os(err, (uint32_t)errno, "open FIFO %s for writing", path);
    *ret_reader = take_fd(&reader);
    *ret_writer = take_fd(&writer);
    return 0;
}

int shim_sink_open(const char *path, struct shim_sink *ret, struct shim_error *err)
{
    cleanup_fd int handle = -1;
    struct shim_sink sink = {.fd = -1, .keep = -1};
    struct stat st;
    int r;

    r = open_handle(path, &handle, &st, err);
    if (r < 0)
        return r;
    if (S_ISFIFO(st.st_mode)) {
        r = open_ends(handle, path, &sink.keep, &sink.fd, err);
        if (r < 0)
            return r;
        sink.fifo = true;
        *ret = sink;
        return 0;
    }
    sink.fd = reopen(handle, O_WRONLY | O_APPEND);
    if (sink.fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s to append", path);
    sink.disk = !isatty(sink.fd);
    if (sink.disk)
        fcntl(sink.fd, F_SETFL, O_APPEND); /* its thread may wait; EAGAIN would have it spin */
    *ret = sink;
    return 0;
}

static int make_log(const char *path, struct shim_error *err)
{
    cleanup_free char *folder = strdup(path);
    cleanup_fd int fd = -1;
    char *slash;
    int r;

    if (!folder)
        return shim_fail_memory(err);
    slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        r = shim_dir_make_all(folder, 0755, err);
        if (r < 0) /* "already exists" would be taken for the container */
            return shim_wrap(err, r == SHIM_E_EXISTS ? SHIM_E_STATE : r, "make log %s", path);
    }
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0 && errno != EEXIST)
        return shim_fail_os(err, (uint32_t)errno, "make %s", path);
    return 0;
}

int shim_sink_open_log(const char *path, struct shim_sink *ret, struct shim_error *err)
{
    int r = make_log(path, err);

    return r < 0 ? r : shim_sink_open(path, ret, err);
}

int shim_source_open(const char *path, int *ret, struct shim_error *err)
{
    cleanup_fd int handle = -1;
    struct stat st;
    int r;

    r = open_handle(path, &handle, &st, err);
    if (r < 0)
        return r;
    if (!S_ISFIFO(st.st_mode))
        return shim_fail(err, SHIM_E_INVALID, "%s is not a FIFO", path);
    *ret = reopen(handle, O_RDONLY);
    if (*ret < 0)
        return shim_fail_os(err, (uint32_t)errno, "open FIFO %s for reading", path);
    return 0;
}

int shim_source_keep(int reader)
{
    return reopen(reader, O_WRONLY);
}

bool shim_fifo_has_reader(int writer)
{
    struct pollfd p = {.fd = writer};

    while (poll(&p, 1, 0) < 0 && errno == EINTR)
        ;
    return !(p.revents & POLLERR);
}

bool shim_fd_is_pipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

void shim_fd_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}
