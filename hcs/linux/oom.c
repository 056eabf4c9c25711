/* SPDX-License-Identifier: Apache-2.0 */
/* Watches for out-of-memory kills; all of its state belongs to the loop's thread once it runs. */
#include "hcs/linux/oom.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/posix/loop.h"
#include "base/str.h"
#include "base/thread.h"
#include "hcs/linux/cgroup.h"
#include "hcs/linux/figures.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define RETRY_MS 10

struct linux_oom {
    struct shim_watch watch;
    struct shim_loop *loop;
    linux_oom_notify *notify;
    void *user;
    bool unified;
    char *dir;      /* owned: where the memory controller's files are */
    intptr_t fd;    /* eventfd or inotify */
    uint64_t kills; /* v2: those we know of */
    struct shim_mutex lock;
    struct shim_cond cond;
    bool stopped; /* under lock */
};

static bool read_events(const struct linux_oom *oom, const char *name, struct shim_buf *text)
{
    return *linux_figures_file(oom->dir, name, text) != 0;
}

/* v2: the counter tells, whatever woke us. */
static void check_unified(struct linux_oom *oom)
{
    cleanup_buf struct shim_buf text = {0};
    uint64_t kills;

    if (!read_events(oom, "memory.events", &text))
        return;
    kills = linux_text_value(shim_buf_str(&text), "oom_kill");
    if (kills > oom->kills)
        oom->notify(oom->user);
    oom->kills = kills;
}

/* v1: each count is one OOM, but the kernel adds a last one when the group is removed. */
static void check_v1(struct linux_oom *oom)
{
    cleanup_buf struct shim_buf text = {0};
    uint64_t count;

    if (read((int)oom->fd, &count, sizeof(count)) != sizeof(count))
        return;
    if (!read_events(oom, "memory.oom_control", &text)) {
        shim_watch_remove(&oom->watch);
        count--;
    }
    if (count > 0)
        oom->notify(oom->user);
}

void linux_oom_check(struct linux_oom *oom)
{
    if (oom->unified)
        check_unified(oom);
    else
        check_v1(oom);
}

bool linux_oom_post(struct linux_oom *oom, void (*fn)(void *user), void *user)
{
    return shim_loop_post(oom->loop, fn, user);
}

/* Takes what inotify has queued; false when the file has gone. */
static bool drain_inotify(int fd)
{
    char queued[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool alive = true;
    ssize_t n;

    while ((n = read(fd, queued, sizeof(queued))) > 0) {
        for (ssize_t at = 0; at < n;) {
            struct inotify_event event;

            memcpy(&event, queued + at, sizeof(event));
            at += (ssize_t)(sizeof(event) + event.len);
            alive = alive && !(event.mask & (IN_IGNORED | IN_DELETE_SELF));
        }
    }
    return alive;
}

static void ready(struct shim_watch *watch, uint32_t events)
{
    struct linux_oom *oom = shim_container_of(watch, struct linux_oom, watch);

    (void)events;
    if (oom->unified && !drain_inotify((int)oom->fd))
        shim_watch_remove(watch);
    linux_oom_check(oom);
}

static int open_inotify(struct linux_oom *oom, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/memory.events", oom->dir);

    if (!path)
        return shim_fail_memory(err);
    oom->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (oom->fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "inotify");
    if (inotify_add_watch((int)oom->fd, path, IN_MODIFY) < 0)
        return shim_fail_os(err, (uint32_t)errno, "watch %s", path);
    return 0;
}

static int open_eventfd(struct linux_oom *oom, struct shim_error *err)
{
    cleanup_free char *control = shim_strf("%s/memory.oom_control", oom->dir);
    cleanup_free char *event = shim_strf("%s/cgroup.event_control", oom->dir);
    cleanup_handle intptr_t control_fd = SHIM_NO_HANDLE, event_fd = SHIM_NO_HANDLE;
    char line[64];

    if (!control || !event)
        return shim_fail_memory(err);
    oom->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    control_fd = open(control, O_RDONLY | O_CLOEXEC);
    event_fd = open(event, O_WRONLY | O_CLOEXEC);
    if (oom->fd < 0 || control_fd < 0 || event_fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", control);
    snprintf(line, sizeof(line), "%d %d", (int)oom->fd, (int)control_fd);
    if (write((int)event_fd, line, strlen(line)) < 0)
        return shim_fail_os(err, (uint32_t)errno, "write to %s", event);
    return 0;
}

/* Without a descriptor there is still linux_oom_check(), so that is no reason to fail a
 * container. */
static void open_source(struct linux_oom *oom)
{
    struct shim_error err = {0};
    int r = oom->unified ? open_inotify(oom, &err) : open_eventfd(oom, &err);

    if (r < 0) {
        shim_log(SHIM_DEBUG, "out-of-memory notices come late: %s", err.msg);
        shim_handle_close(&oom->fd);
    }
}

static void start_on_loop(void *user)
{
    struct linux_oom *oom = user;
    struct shim_error err = {0};

    if (oom->fd != SHIM_NO_HANDLE &&
        shim_watch_add(oom->loop, &oom->watch, (int)oom->fd, EPOLLIN, ready, &err) < 0)
        shim_log(SHIM_DEBUG, "out-of-memory notices come late: %s", err.msg);
}

static void dispose(struct linux_oom *oom)
{
    shim_handle_close(&oom->fd);
    shim_mutex_done(&oom->lock);
    shim_cond_done(&oom->cond);
    free(oom->dir);
    free(oom);
}

int linux_oom_new(struct shim_loop *loop, const struct linux_cgroup *cg, linux_oom_notify *notify,
                  void *user, struct linux_oom **ret, struct shim_error *err)
{
    const char *dir = cg->unified ? cg->dir : cg->dirs[LINUX_MEMORY];
    cleanup_buf struct shim_buf text = {0};
    struct linux_oom *oom;

    if (!dir)
        return shim_fail(err, SHIM_E_NOT_FOUND, "the container has no memory control group");
    oom = calloc(1, sizeof(*oom));
    if (!oom)
        return shim_fail_memory(err);
    *oom = (struct linux_oom){
        .watch.fd = -1,
        .loop = loop,
        .notify = notify,
        .user = user,
        .unified = cg->unified,
        .dir = strdup(dir),
        .fd = SHIM_NO_HANDLE,
    };
    shim_mutex_init(&oom->lock);
    shim_cond_init(&oom->cond);
    if (oom->dir)
        open_source(oom);
    if (oom->dir && oom->unified && read_events(oom, "memory.events", &text))
        oom->kills = linux_text_value(shim_buf_str(&text), "oom_kill");
    if (!oom->dir || !shim_loop_post(loop, start_on_loop, oom)) {
        dispose(oom);
        return shim_fail_memory(err);
    }
    *ret = oom;
    return 0;
}

static void stop_on_loop(void *user)
{
    struct linux_oom *oom = user;

    shim_watch_remove(&oom->watch);
    shim_lock(&oom->lock);
    oom->stopped = true;
    shim_cond_signal(&oom->cond);
    shim_unlock(&oom->lock);
}

void linux_oom_free(struct linux_oom *oom)
{
    if (!oom)
        return;
    while (!shim_loop_post(oom->loop, stop_on_loop, oom))
        shim_sleep_ms(RETRY_MS); /* out of memory; leaving it watched would be worse than waiting */
    shim_lock(&oom->lock);
    while (!oom->stopped)
        shim_cond_wait(&oom->cond, &oom->lock);
    shim_unlock(&oom->lock);
    dispose(oom);
}
