/* SPDX-License-Identifier: Apache-2.0 */
/* Takes terminals from runtimes: one connection, one message, one descriptor. */
#include "hcs/linux/console.h"
#include "base/clock.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_UP_MS 100 /* how often a wait looks whether it was cancelled */

/* False when it does not fit or the folder cannot be made there. */
static bool make_folder(struct linux_console *c, const char *parent)
{
    int n = snprintf(c->folder, sizeof(c->folder), "%s/ptyXXXXXX", parent);

    if (n < 0 || (size_t)n + sizeof("/pty.sock") > sizeof(c->path) || !mkdtemp(c->folder)) {
        c->folder[0] = 0;
        return false;
    }
    return true;
}

static int listen_at(struct linux_console *c, struct shim_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, c->path, sizeof(address.sun_path));
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listener < 0)
        return shim_fail_os(err, (uint32_t)errno, "console socket");
    if (bind((int)c->listener, (struct sockaddr *)&address, sizeof(address)) != 0)
        return shim_fail_os(err, (uint32_t)errno, "bind console socket %s", c->path);
    if (listen((int)c->listener, 1) != 0)
        return shim_fail_os(err, (uint32_t)errno, "listen on console socket %s", c->path);
    return 0;
}

int linux_console_open(struct linux_console *c, struct shim_error *err)
{
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
    bool in_runtime_dir = !shim_str_empty(runtime_dir) && make_folder(c, runtime_dir);
    int r;

    if (!in_runtime_dir && !make_folder(c, "/tmp"))
        return shim_fail_os(err, (uint32_t)errno, "make a folder for a console socket in /tmp");
    snprintf(c->path, sizeof(c->path), "%.*s/pty.sock",
             (int)(sizeof(c->path) - sizeof("/pty.sock")), c->folder);
    r = listen_at(c, err);
    if (r < 0) {
        linux_console_close(c);
        return r;
    }
    if (in_runtime_dir)
        (void)chmod(c->path, 01755); /* sticky: cleaners of that folder leave such files alone */
    return 0;
}

void linux_console_close(struct linux_console *c)
{
    shim_handle_close(&c->listener);
    if (c->folder[0]) {
        unlink(c->path);
        rmdir(c->folder);
        c->folder[0] = 0;
    }
}

static int wait_readable(int fd, int64_t deadline_ns, struct linux_call *call,
                         struct shim_error *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        int n = poll(&p, 1, LOOK_UP_MS);

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return shim_fail_os(err, (uint32_t)errno, "wait for the console");
        if (call && linux_call_canceled(call))
            return shim_fail(err, SHIM_E_CANCELED, "wait for the console: cancelled");
        if (shim_monotonic_ns() >= deadline_ns)
            return shim_fail(err, SHIM_E_DEADLINE, "the runtime sent no console in time");
    }
}

/* Takes every descriptor of the message, so that none leaks, and keeps the first. */
static size_t take_descriptors(struct msghdr *msg, intptr_t *ret_first)
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t in_this = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < in_this; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (n++ == 0)
                *ret_first = fd;
            else
                close(fd);
        }
    }
    return n;
}

static int receive_master(int fd, intptr_t *ret, struct shim_error *err)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control;
    char name[4096];
    struct iovec iov = {.iov_base = name, .iov_len = sizeof(name)};
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    cleanup_handle intptr_t master = SHIM_NO_HANDLE;
    size_t n;

    if (recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) < 0)
        return shim_fail_os(err, (uint32_t)errno, "receive the console");
    n = take_descriptors(&msg, &master);
    if (n != 1)
        return shim_fail(err, SHIM_E_INVALID,
                         "the runtime sent %zu descriptors as its console, not 1", n);
    if (!isatty((int)master))
        return shim_fail(err, SHIM_E_INVALID, "what the runtime sent is no console");
    if (fcntl((int)master, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make the console non-blocking");
    *ret = master;
    master = SHIM_NO_HANDLE;
    return 0;
}

int linux_console_receive(struct linux_console *c, int64_t timeout_ms, struct linux_call *call,
                          intptr_t *ret_master, struct shim_error *err)
{
    int64_t deadline_ns = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;
    cleanup_handle intptr_t peer = SHIM_NO_HANDLE;
    int r = wait_readable((int)c->listener, deadline_ns, call, err);

    if (r < 0)
        return r;
    peer = accept4((int)c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0)
        return shim_fail_os(err, (uint32_t)errno, "accept the console's connection");
    r = wait_readable((int)peer, deadline_ns, call, err);
    return r < 0 ? r : receive_master((int)peer, ret_master, err);
}
