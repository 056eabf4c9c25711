/* SPDX-License-Identifier: Apache-2.0 */
/* A place where tests wait for a child's exit, and a reader of what a child printed. */
#pragma once
#include "base/child.h"
#include "base/clock.h"
#include "tests/test.h"
#include <fcntl.h>
#include <unistd.h>

struct ending {
    struct shim_mutex lock;
    struct shim_cond cond;
    unsigned times; /* called so often */
    int64_t pid;
    struct shim_exit exit;
};

static inline void ending_init(struct ending *e)
{
    *e = (struct ending){.times = 0};
    shim_mutex_init(&e->lock);
    shim_cond_init(&e->cond);
}

/* A shim_child_exited. */
static inline void ending_note(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct ending *e = user;

    shim_lock(&e->lock);
    e->times++;
    e->pid = pid;
    e->exit = *exit;
    shim_cond_broadcast(&e->cond);
    shim_unlock(&e->lock);
}

/* False when it did not come within ten seconds. */
static inline bool ending_wait(struct ending *e)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;
    bool ended;

    shim_lock(&e->lock);
    while (e->times == 0 && shim_cond_wait_until(&e->cond, &e->lock, deadline))
        continue;
    ended = e->times > 0;
    shim_unlock(&e->lock);
    return ended;
}

static inline void ending_done(struct ending *e)
{
    shim_cond_done(&e->cond);
    shim_mutex_done(&e->lock);
}

/* Runs to the end and returns what the child wrote to `fd`, to be freed; checks the status. */
static inline char *output_of(struct shim_spawn spawn, int fd, uint32_t status)
{
    cleanup_buf struct shim_buf text = {0};
    struct shim_child_fd fds[16];
    struct ending ended;
    struct shim_error err = {0};
    int64_t pid;
    int ends[2];

    ending_init(&ended);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fds[0] = (struct shim_child_fd){.from = ends[1], .to = fd};
    for (size_t i = 0; i < spawn.n_fds; i++)
        fds[i + 1] = spawn.fds[i];
    spawn.fds = fds;
    spawn.n_fds++;
    if (shim_child_spawn(&spawn, ending_note, &ended, &pid, &err) != 0)
        fail_msg("%s", err.msg);
    close(ends[1]);
    assert_int_equal(shim_handle_read(ends[0], 1 << 20, &text, &err), 0);
    close(ends[0]);
    assert_true(ending_wait(&ended));
    assert_int_equal(ended.exit.status, status);
    ending_done(&ended);
    return shim_buf_append_str(&text, "") ? shim_buf_take(&text) : NULL;
}
