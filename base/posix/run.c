/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program run to its end by the calling thread, which meanwhile feeds its input and collects its
 * output. Promises to leave no descriptor and no callback behind.
 */
#include "base/child.h"
#include "base/clock.h"
#include "base/posix/registry.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PIPE_BYTES  ((size_t)64 * 1024) /* as much as a pipe holds by default */
#define CHUNK_BYTES ((size_t)4096)

struct running {
    const struct shim_run *run;
    struct shim_run_result *result;
    int64_t pid;
    int64_t deadline_ns; /* INT64_MAX: none, or passed */
    bool timed_out, out_of_memory;
    size_t input_sent;
    intptr_t ended;          /* eventfd, readable once result->exit is set */
    intptr_t in, out, error; /* our ends, not blocking; SHIM_NO_HANDLE when over */
    intptr_t child_ends[3];  /* open until the program has them */
};

static void running_done(struct running *r)
{
    shim_handle_close(&r->ended);
    shim_handle_close(&r->in);
    shim_handle_close(&r->out);
    shim_handle_close(&r->error);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(r->child_ends); i++)
        shim_handle_close(&r->child_ends[i]);
}
#define cleanup_running SHIM_CLEANUP(running_done)

void shim_stopper_init(struct shim_stopper *s)
{
    *s = (struct shim_stopper){.pid = 0};
    shim_mutex_init(&s->lock);
}

void shim_stopper_done(struct shim_stopper *s)
{
    shim_mutex_done(&s->lock);
}

void shim_stopper_stop(struct shim_stopper *s)
{
    int r;

    shim_lock(&s->lock);
    s->stopped = true;
    r = s->pid ? shim_child_kill_group(s->pid, SIGKILL, NULL) : 0;
    shim_unlock(&s->lock);
    (void)r; /* it has ended by itself */
}

void shim_stopper_reset(struct shim_stopper *s)
{
    shim_lock(&s->lock);
    s->stopped = false;
    shim_unlock(&s->lock);
}

/* Names the running program, 0 for none. True when it must not run. */
static bool stopper_set(struct shim_stopper *s, int64_t pid)
{
    bool stopped;

    if (!s)
        return false;
    shim_lock(&s->lock);
    s->pid = pid;
    stopped = s->stopped;
    shim_unlock(&s->lock);
    return stopped;
}

void shim_run_result_done(struct shim_run_result *r)
{
    shim_buf_done(&r->output);
    shim_buf_done(&r->error);
}

/* A shim_child_exited; the write is the last thing done with `user`, which then may be gone. */
static void note_end(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct running *r = user;
    ssize_t n;

    (void)pid;
    r->result->exit = *exit;
    n = write((int)r->ended, &(uint64_t){1}, sizeof(uint64_t));
    (void)n; /* of an eventfd's first count: cannot fail */
}

static int open_pipe(bool to_child, intptr_t *ret_ours, intptr_t *ret_theirs,
                     struct shim_error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make a pipe");
    *ret_ours = ends[to_child ? 1 : 0];
    *ret_theirs = ends[to_child ? 0 : 1];
    if (fcntl((int)*ret_ours, F_SETFL, O_NONBLOCK) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make a pipe non-blocking");
    return 0;
}

static int open_streams(struct running *r, struct shim_error *err)
{
    int e = 0;

    r->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->ended < 0)
        return shim_fail_os(err, (uint32_t)errno, "make an eventfd");
    if (r->run->input)
        e = open_pipe(true, &r->in, &r->child_ends[0], err);
    if (e == 0 && r->run->output_limit_bytes > 0)
        e = open_pipe(false, &r->out, &r->child_ends[1], err);
    if (e == 0 && r->run->output_limit_bytes > 0)
        e = open_pipe(false, &r->error, &r->child_ends[2], err);
    return e;
}

/* With the caller's descriptors and our pipes, which win. */
static int spawn(struct running *r, struct shim_error *err)
{
    struct shim_spawn how = r->run->spawn;
    cleanup_free struct shim_child_fd *fds = calloc(how.n_fds + 3, sizeof(*fds));

    if (!fds)
        return shim_fail_memory(err);
    if (how.n_fds > 0)
        memcpy(fds, how.fds, how.n_fds * sizeof(*fds));
    for (int to = 0; to < 3; to++)
        if (r->child_ends[to] != SHIM_NO_HANDLE)
            fds[how.n_fds++] = (struct shim_child_fd){.from = r->child_ends[to], .to = to};
    how.fds = fds;
    how.new_group = how.die_with_thread = true;
    return shim_child_spawn(&how, note_end, r, &r->pid, err);
}

static void kill_group(struct running *r)
{
    int e = shim_child_kill_group(r->pid, SIGKILL, NULL);

    (void)e; /* it has ended by itself */
}

static void send_input(struct running *r)
{
    const struct shim_run *run = r->run;
    ssize_t n = 0;

    if (r->input_sent < run->input_bytes)
        n = write((int)r->in, (const char *)run->input + r->input_sent,
                  run->input_bytes - r->input_sent);
    if (n > 0)
        r->input_sent += (size_t)n;
    else if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 || r->input_sent == run->input_bytes)
        shim_handle_close(&r->in); /* all sent, or it does not read on */
}

/* Takes a chunk of what is there; false when there was nothing (yet, or any more). */
static bool receive(struct running *r, intptr_t *from, struct shim_buf *to)
{
    char chunk[CHUNK_BYTES];
    ssize_t n = read((int)*from, chunk, sizeof(chunk));
    size_t room = r->run->output_limit_bytes - to->len;

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        shim_handle_close(from);
    if (n <= 0)
        return false;
    if (!shim_buf_append(to, chunk, (size_t)n < room ? (size_t)n : room))
        r->out_of_memory = true;
    return true;
}

/* At most what was there at the program's end: a grandchild may go on writing for ever. */
static void receive_rest(struct running *r, intptr_t *from, struct shim_buf *to)
{
    for (size_t i = 0; i < PIPE_BYTES / CHUNK_BYTES && *from != SHIM_NO_HANDLE; i++)
        if (!receive(r, from, to))
            return;
}

/* For poll(), rounded up; kills the group once the time is over. */
static int remaining_ms(struct running *r)
{
    int64_t left_ns = r->deadline_ns - shim_monotonic_ns(), left_ms;

    if (r->deadline_ns == INT64_MAX)
        return -1;
    if (left_ns <= 0) {
        r->deadline_ns = INT64_MAX;
        r->timed_out = true;
        kill_group(r);
        return -1;
    }
    left_ms = (left_ns + SHIM_NS_PER_MS - 1) / SHIM_NS_PER_MS;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* Until the program itself has ended. */
static void attend(struct running *r)
{
    uint64_t count;

    while (read((int)r->ended, &count, sizeof(count)) < 0) {
        struct pollfd fds[] = {
            {.fd = (int)r->ended, .events = POLLIN},
            {.fd = (int)r->in, .events = POLLOUT},
            {.fd = (int)r->out, .events = POLLIN},
            {.fd = (int)r->error, .events = POLLIN},
        };

        if (poll(fds, SHIM_ARRAY_LEN(fds), remaining_ms(r)) <= 0)
            continue;
        if (fds[1].revents)
            send_input(r);
        if (fds[2].revents)
            receive(r, &r->out, &r->result->output);
        if (fds[3].revents)
            receive(r, &r->error, &r->result->error);
    }
    receive_rest(r, &r->out, &r->result->output);
    receive_rest(r, &r->error, &r->result->error);
}

/* What the end means, once the program has ended. */
static int conclude(const struct running *r, bool stopped, struct shim_error *err)
{
    const char *program = r->run->spawn.argv[0];
    bool killed = r->result->exit.status == 128 + SIGKILL;

    if (killed && stopped)
        return shim_fail(err, SHIM_E_CANCELED, "%s was stopped", program);
    if (killed && r->timed_out)
        return shim_fail(err, SHIM_E_DEADLINE, "%s did not end within %lld ms", program,
                         (long long)r->run->timeout_ms);
    return r->out_of_memory ? shim_fail_memory(err) : 0;
}

int shim_child_run(const struct shim_run *run, struct shim_run_result *ret, struct shim_error *err)
{
    cleanup_running struct running r = {
        .run = run,
        .result = ret,
        .deadline_ns = INT64_MAX,
        .ended = SHIM_NO_HANDLE,
        .in = SHIM_NO_HANDLE,
        .out = SHIM_NO_HANDLE,
        .error = SHIM_NO_HANDLE,
        .child_ends = {SHIM_NO_HANDLE, SHIM_NO_HANDLE, SHIM_NO_HANDLE},
    };
    int e;

    *ret = (struct shim_run_result){.exit.status = 0};
    if (run->timeout_ms > 0)
        r.deadline_ns = shim_monotonic_ns() + run->timeout_ms * SHIM_NS_PER_MS;
    if (stopper_set(run->stopper, 0))
        return shim_fail(err, SHIM_E_CANCELED, "%s was stopped before it started",
                         run->spawn.argv[0]);
    e = open_streams(&r, err);
    if (e == 0)
        e = spawn(&r, err);
    if (e < 0)
        return e;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(r.child_ends); i++)
        shim_handle_close(&r.child_ends[i]);
    if (stopper_set(run->stopper, r.pid))
        kill_group(&r);
    attend(&r);
    return conclude(&r, stopper_set(run->stopper, 0), err);
}
