/* SPDX-License-Identifier: Apache-2.0 */
/* A FIFO, held open for reading and writing as containerd does, and a thread that empties it. */
#include "shim/ctl/log_channel.h"
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include "shim/ctl/ctl.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct ctl_log {
    intptr_t fifo, stop; /* stop: an eventfd */
    intptr_t to;         /* the log file; SHIM_NO_HANDLE: standard error */
    struct shim_thread thread;
};

/* False when there is nothing (more) now. */
static bool copy_some(const struct ctl_log *l)
{
    char data[4096];
    ssize_t n = read((int)l->fifo, data, sizeof(data));

    if (n <= 0)
        return n < 0 && errno == EINTR;
    /* A log that cannot be kept is no reason to stop the container. */
    ctl_best_effort(shim_handle_write(l->to < 0 ? STDERR_FILENO : l->to, data, (size_t)n, NULL));
    return true;
}

static void copy_all(void *arg)
{
    const struct ctl_log *l = arg;
    struct pollfd fds[2] = {{.fd = (int)l->fifo, .events = POLLIN},
                            {.fd = (int)l->stop, .events = POLLIN}};

    do {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        while (copy_some(l))
            ;
    } while (!fds[1].revents);
}

static void log_close(struct ctl_log *l)
{
    shim_handle_close(&l->fifo);
    shim_handle_close(&l->stop);
    shim_handle_close(&l->to);
    free(l);
}

static int open_files(const char *bundle, bool to_stderr, struct ctl_log *l, struct shim_error *err)
{
    cleanup_free char *fifo = shim_strf("%s/log", bundle);
    cleanup_free char *file = shim_strf("%s/shim.log", bundle);

    if (!fifo || !file)
        return shim_fail_memory(err);
    if (mkfifo(fifo, 0700) != 0 && errno != EEXIST)
        return shim_fail_os(err, (uint32_t)errno, "make FIFO %s", fifo);
    l->fifo = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (l->fifo < 0)
        return shim_fail_os(err, (uint32_t)errno, "open FIFO %s", fifo);
    l->stop = eventfd(0, EFD_CLOEXEC);
    if (l->stop < 0)
        return shim_fail_os(err, (uint32_t)errno, "make an eventfd");
    if (to_stderr)
        return 0;
    l->to = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (l->to < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", file);
    return 0;
}

int ctl_log_open(const char *bundle, bool to_stderr, struct ctl_log **ret, struct shim_error *err)
{
    struct ctl_log *l = calloc(1, sizeof(*l));
    int r;

    if (!l)
        return shim_fail_memory(err);
    *l = (struct ctl_log){.fifo = SHIM_NO_HANDLE, .stop = SHIM_NO_HANDLE, .to = SHIM_NO_HANDLE};
    r = open_files(bundle, to_stderr, l, err);
    if (r >= 0)
        r = shim_thread_start("log", 0, copy_all, l, &l->thread, err);
    if (r < 0) {
        log_close(l);
        return r;
    }
    *ret = l;
    return 0;
}

void ctl_log_free(struct ctl_log *l)
{
    if (!l)
        return;
    eventfd_write((int)l->stop, 1);
    shim_thread_join(&l->thread);
    log_close(l);
}
