/* SPDX-License-Identifier: Apache-2.0 */
/* FIFOs, one thread for each stream. */
#include "shim/ctl/stdio.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)32 * 1024)

struct stream {
    struct ctl_stdio *owner;
    char *path;    /* NULL: not asked for */
    intptr_t from; /* an output's FIFO; input: ours, borrowed */
    intptr_t to;   /* input's FIFO; output: ours, borrowed */
    bool running;
    struct shim_thread thread;
};

struct ctl_stdio {
    struct stream in, out, err;
    intptr_t stop; /* an eventfd: readable from the stop on */
    void (*in_ended)(void *user);
    void *user;
    struct shim_mutex lock;
    struct shim_cond changed;
    unsigned open_outputs;
    int64_t last_output_ns;
    bool stopped;
};

static int make_fifo(const char *dir, const char *name, struct stream *s, struct shim_error *err)
{
    s->path = shim_strf("%s/%s", dir, name);
    if (!s->path)
        return shim_fail_memory(err);
    if (mkfifo(s->path, 0600) != 0) {
        int r = shim_fail_os(err, (uint32_t)errno, "make FIFO %s", s->path);

        free(shim_take(s->path)); /* not ours to remove */
        return r;
    }
    return 0;
}

static int open_fifo(const char *path, int flags, intptr_t *ret, struct shim_error *err)
{
    *ret = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    if (*ret < 0)
        return shim_fail_os(err, (uint32_t)errno, "open FIFO %s", path);
    return 0;
}

static int open_output(struct ctl_stdio *owner, const char *dir, const char *name, struct stream *s,
                       struct shim_error *err)
{
    int r = make_fifo(dir, name, s, err);

    if (r >= 0)
        r = open_fifo(s->path, O_RDONLY, &s->from, err);
    owner->open_outputs += r >= 0;
    return r;
}

static void stream_init(struct stream *s, struct ctl_stdio *owner)
{
    *s = (struct stream){.owner = owner, .from = SHIM_NO_HANDLE, .to = SHIM_NO_HANDLE};
}

static int open_all(struct ctl_stdio *s, const struct ctl_stdio_config *config,
                    struct shim_error *err)
{
    int r = 0;

    s->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop < 0)
        return shim_fail_os(err, (uint32_t)errno, "make an eventfd");
    s->in.from = shim_stdin();
    s->out.to = shim_stdout();
    s->err.to = STDERR_FILENO;
    if (config->in)
        r = make_fifo(config->dir, "stdin", &s->in, err);
    if (r >= 0 && config->out)
        r = open_output(s, config->dir, "stdout", &s->out, err);
    if (r >= 0 && config->err)
        r = open_output(s, config->dir, "stderr", &s->err, err);
    return r;
}

int ctl_stdio_open(const struct ctl_stdio_config *config, struct ctl_stdio **ret,
                   struct shim_error *err)
{
    struct ctl_stdio *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return shim_fail_memory(err);
    stream_init(&s->in, s);
    stream_init(&s->out, s);
    stream_init(&s->err, s);
    shim_mutex_init(&s->lock);
    shim_cond_init(&s->changed);
    s->in_ended = config->in_ended;
    s->user = config->user;
    r = open_all(s, config, err);
    if (r < 0) {
        ctl_stdio_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

const char *ctl_stdio_in_path(const struct ctl_stdio *s)
{
    return s->in.path ? s->in.path : "";
}

const char *ctl_stdio_out_path(const struct ctl_stdio *s)
{
    return s->out.path ? s->out.path : "";
}

const char *ctl_stdio_err_path(const struct ctl_stdio *s)
{
    return s->err.path ? s->err.path : "";
}

/* False once the copying is to stop. */
static bool wait_ready(const struct ctl_stdio *s, intptr_t fd, short events)
{
    struct pollfd fds[2] = {{.fd = (int)fd, .events = events},
                            {.fd = (int)s->stop, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR && errno != EAGAIN)
            return false;
    return fds[1].revents == 0;
}

static bool write_all(const struct ctl_stdio *s, intptr_t fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n;

        if (!wait_ready(s, fd, POLLOUT))
            return false;
        n = write((int)fd, data, bytes);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            bytes -= (size_t)n;
        }
    }
    return true;
}

static void note_output(struct ctl_stdio *s)
{
    shim_lock(&s->lock);
    s->last_output_ns = shim_monotonic_ns();
    shim_cond_signal(&s->changed);
    shim_unlock(&s->lock);
}

/* Reads until the end, an error or the stop; what the reader cannot take is not read further. */
static void copy(struct stream *s, bool is_output)
{
    char *data = malloc(COPY_BYTES);

    while (data && wait_ready(s->owner, s->from, POLLIN)) {
        ssize_t n = read((int)s->from, data, COPY_BYTES);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0 || !write_all(s->owner, s->to, data, (size_t)n))
            break;
        if (is_output)
            note_output(s->owner);
    }
    free(data);
}

static void copy_output(void *arg)
{
    struct stream *s = arg;

    copy(s, true);
    /* The process is to see that nobody reads, as it would in a shell's pipeline. */
    shim_handle_close(&s->from);
    shim_lock(&s->owner->lock);
    s->owner->open_outputs--;
    shim_cond_signal(&s->owner->changed);
    shim_unlock(&s->owner->lock);
}

/* Waits for the shim to open its end: what is written before would be lost, were we done writing
 * by then. stream_done ends the wait. */
static void open_input(struct stream *s)
{
    s->to = open(s->path, O_WRONLY | O_CLOEXEC);
    if (s->to >= 0)
        fcntl((int)s->to, F_SETFL, O_NONBLOCK);
}

static void copy_input(void *arg)
{
    struct stream *s = arg;
    bool stopped;

    open_input(s);
    if (s->to >= 0)
        copy(s, false);
    shim_handle_close(&s->to);
    shim_lock(&s->owner->lock);
    stopped = s->owner->stopped;
    shim_unlock(&s->owner->lock);
    if (!stopped && s->owner->in_ended)
        s->owner->in_ended(s->owner->user);
}

static int start_stream(struct stream *s, const char *name, void (*fn)(void *),
                        struct shim_error *err)
{
    int r;

    if (!s->path)
        return 0;
    r = shim_thread_start(name, 0, fn, s, &s->thread, err);
    s->running = r >= 0;
    return r;
}

int ctl_stdio_start_output(struct ctl_stdio *s, struct shim_error *err)
{
    int r = start_stream(&s->out, "stdout", copy_output, err);

    if (r >= 0)
        r = start_stream(&s->err, "stderr", copy_output, err);
    return r;
}

int ctl_stdio_start_input(struct ctl_stdio *s, struct shim_error *err)
{
    return start_stream(&s->in, "stdin", copy_input, err);
}

bool ctl_stdio_drain(struct ctl_stdio *s, unsigned idle_ms)
{
    int64_t idle_ns = (int64_t)idle_ms * SHIM_NS_PER_MS;
    bool drained;

    shim_lock(&s->lock);
    s->last_output_ns = shim_monotonic_ns();
    while (s->open_outputs > 0 && !s->stopped) {
        int64_t deadline_ns = s->last_output_ns + idle_ns;

        if (shim_monotonic_ns() >= deadline_ns)
            break;
        shim_cond_wait_until(&s->changed, &s->lock, deadline_ns);
    }
    drained = s->open_outputs == 0 && !s->stopped;
    shim_unlock(&s->lock);
    return drained;
}

void ctl_stdio_stop(struct ctl_stdio *s)
{
    shim_lock(&s->lock);
    s->stopped = true;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
    eventfd_write((int)s->stop, 1);
}

static void input_done(struct stream *s)
{
    cleanup_handle intptr_t reader = SHIM_NO_HANDLE;

    if (s->running) {
        reader = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* lets open_input go on */
        shim_thread_join(&s->thread);
    }
    if (s->path)
        unlink(s->path);
    free(s->path);
}

static void output_done(struct stream *s)
{
    if (s->running)
        shim_thread_join(&s->thread);
    shim_handle_close(&s->from);
    if (s->path)
        unlink(s->path);
    free(s->path);
}

void ctl_stdio_free(struct ctl_stdio *s)
{
    if (!s)
        return;
    if (s->stop >= 0)
        ctl_stdio_stop(s);
    input_done(&s->in);
    output_done(&s->out);
    output_done(&s->err);
    shim_handle_close(&s->stop);
    shim_cond_done(&s->changed);
    shim_mutex_done(&s->lock);
    free(s);
}
