/* SPDX-License-Identifier: Apache-2.0 */
/* Small files by open, read, write and rename; every descriptor is close-on-exec. */
#include "base/file.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void shim_handle_close(intptr_t *handle)
{
    if (*handle == SHIM_NO_HANDLE)
        return;
    close((int)*handle);
    *handle = SHIM_NO_HANDLE;
}

int shim_handle_read(intptr_t handle, size_t limit_bytes, struct shim_buf *ret,
                     struct shim_error *err)
{
    size_t start = ret->len;

    for (;;) {
        ssize_t n;

        if (!shim_buf_reserve(ret, 4096))
            return shim_fail_memory(err);
        n = read((int)handle, ret->data + ret->len, ret->cap - ret->len - 1);
        if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = (int)handle, .events = POLLIN}, 1, -1);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return shim_fail_os(err, (uint32_t)errno, "read");
        ret->len += (size_t)n;
        ret->data[ret->len] = 0;
        if (ret->len - start > limit_bytes)
            return shim_fail(err, SHIM_E_EXHAUSTED, "more than the limit of %zu bytes",
                             limit_bytes);
        if (n == 0)
            return 0;
    }
}

int shim_file_read(const char *path, size_t limit_bytes, struct shim_buf *ret,
                   struct shim_error *err)
{
    cleanup_handle intptr_t fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r;

    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", path);
    r = shim_handle_read(fd, limit_bytes, ret, err);
    return r < 0 ? shim_wrap(err, r, "%s", path) : 0;
}

int shim_handle_write(intptr_t handle, const void *data, size_t bytes, struct shim_error *err)
{
    const char *at = data;

    while (bytes > 0) {
        ssize_t n = write((int)handle, at, bytes);

        if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = (int)handle, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return shim_fail_os(err, (uint32_t)errno, "write");
        at += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int shim_file_write(const char *path, const void *data, size_t bytes, struct shim_error *err)
{
    static atomic_uint writes; /* two threads may write the same file */
    cleanup_free char *temp =
        shim_strf("%s.%d.%u.tmp", path, (int)getpid(), atomic_fetch_add(&writes, 1));
    cleanup_handle intptr_t fd = SHIM_NO_HANDLE;
    int r;

    if (!temp)
        return shim_fail_memory(err);
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "create %s", temp);
    r = shim_handle_write(fd, data, bytes, err);
    if (r == 0 && rename(temp, path) != 0)
        r = shim_fail_os(err, (uint32_t)errno, "rename to it");
    if (r < 0) {
        unlink(temp);
        return shim_wrap(err, r, "write %s", path);
    }
    return 0;
}

int shim_file_remove(const char *path, struct shim_error *err)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return shim_fail_os(err, (uint32_t)errno, "remove %s", path);
    return 0;
}

int shim_dir_make(const char *path, unsigned mode, struct shim_error *err)
{
    struct stat st;
    int os;

    if (mkdir(path, (mode_t)mode) == 0)
        return 0;
    os = errno;
    if (os == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return shim_fail_os(err, (uint32_t)os, "make folder %s", path);
}

int shim_dir_make_all(const char *path, unsigned mode, struct shim_error *err)
{
    cleanup_free char *part = strdup(path);

    if (!part)
        return shim_fail_memory(err);
    for (char *slash = *part ? strchr(part + 1, '/') : NULL; slash;
         slash = strchr(slash + 1, '/')) {
        int r;

        *slash = 0;
        r = shim_dir_make(part, mode, err);
        if (r < 0)
            return r;
        *slash = '/';
    }
    return shim_dir_make(part, mode, err);
}

bool shim_file_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

intptr_t shim_stdin(void)
{
    return STDIN_FILENO;
}

intptr_t shim_stdout(void)
{
    return STDOUT_FILENO;
}

void shim_write_stderr(const char *text, size_t bytes)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n;

    if (poll(&fd, 1, 0) <= 0)
        return; /* it would wait even where nobody made it non-blocking */
    n = write(STDERR_FILENO, text, bytes);
    (void)n; /* nowhere to tell */
}
