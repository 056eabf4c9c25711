/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one process: opens the client's ends, says what the process gets, and passes calls
 * on to the loops that own the streams. Copies nothing itself.
 */
#include "shim/relay.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "shim/posix/fifo.h"
#include "shim/posix/logger.h"
#include "shim/posix/relay_disk.h"
#include "shim/posix/relay_stream.h"
#include "shim/stdio_uri.h"
#include <stdio.h>
#include <string.h>

#define LOGGER_READY_MS 10000
#define LOGGER_DRAIN_MS 1000 /* a SIGTERM at once could cost what it has not read yet */
#define LOGGER_TERM_MS  12000

enum { IN, OUT, ERR, N_STREAMS };

struct shim_io {
    struct shim_loop *loop;
    struct shim_loop *disk; /* NULL while nothing is written to a disk */
    char *id;
    struct relay_stream streams[N_STREAMS];

    struct shim_mutex lock; /* leaf; for the fields below */
    struct shim_cond cond;
    int given[N_STREAMS]; /* logger's pipes, which the process gets; ours until start */
    struct shim_logger *logger;
    bool started;
    unsigned outputs; /* not over */
    unsigned drains;  /* asked for and not over */
    bool done_due;
    void (*done)(void *user);
    void *done_user;
};

/* One function for each stream there is, each on its own loop's thread. */
struct round {
    struct shim_io *io;
    int (*fn)(struct relay_stream *s, struct round *round, struct shim_error *err);
    struct hcs_stdio *stdio; /* for start */
    unsigned left;           /* under io->lock, like the rest */
    int r;
    struct shim_error *err;
};
struct call {
    struct round *round;
    struct relay_stream *stream;
};

/* Posting fails only without memory. Then waiting is all there is: a stream belongs to its loop's
 * thread, and freeing it under its feet would be worse. */
static void post(struct shim_loop *loop, void (*fn)(void *user), void *user)
{
    while (!shim_loop_post(loop, fn, user))
        shim_sleep_ms(10);
}

static void run_call(void *user)
{
    struct call *call = user;
    struct round *round = call->round;
    struct shim_io *io = round->io;
    struct shim_error err = {0};
    int r = round->fn(call->stream, round, &err);

    shim_lock(&io->lock);
    if (r < 0 && round->r == 0) {
        round->r = r;
        if (round->err)
            *round->err = err;
    }
    round->left--;
    shim_cond_broadcast(&io->cond);
    shim_unlock(&io->lock);
}

/* Waits for all of them; the first error counts. */
static int run_round(struct round *round)
{
    struct shim_io *io = round->io;
    struct call calls[N_STREAMS];

    for (int i = 0; i < N_STREAMS; i++)
        round->left += io->streams[i].loop != NULL;
    for (int i = 0; i < N_STREAMS; i++) {
        calls[i] = (struct call){.round = round, .stream = &io->streams[i]};
        if (io->streams[i].loop)
            post(io->streams[i].loop, run_call, &calls[i]);
    }
    shim_lock(&io->lock);
    while (round->left > 0)
        shim_cond_wait(&io->cond, &io->lock);
    shim_unlock(&io->lock);
    return round->r;
}

static void call_done(void *user)
{
    struct shim_io *io = user;

    io->done(io->done_user);
    shim_lock(&io->lock);
    io->done_due = false;
    shim_cond_broadcast(&io->cond);
    shim_unlock(&io->lock);
}

static void on_drained(struct relay_stream *s)
{
    struct shim_io *io = s->owner;
    bool last;

    shim_lock(&io->lock);
    last = --io->drains == 0;
    shim_unlock(&io->lock);
    if (last)
        post(io->loop, call_done, io); /* this may be the disk's thread */
}

static void on_ended(struct relay_stream *s)
{
    struct shim_io *io = s->owner;

    if (s->direction == RELAY_IN)
        return;
    shim_lock(&io->lock);
    io->outputs--;
    shim_cond_broadcast(&io->cond);
    shim_unlock(&io->lock);
}

static int io_new(const struct shim_io_config *config, struct shim_io **ret, struct shim_error *err)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    struct shim_io *io = calloc(1, sizeof(*io));

    if (!io)
        return shim_fail_memory(err);
    io->id = shim_strdup0(config->id);
    if (!io->id) {
        free(io);
        return shim_fail_memory(err);
    }
    io->loop = config->loop;
    shim_mutex_init(&io->lock);
    shim_cond_init(&io->cond);
    for (int i = 0; i < N_STREAMS; i++) {
        relay_stream_init(&io->streams[i], names[i], i == IN ? RELAY_IN : RELAY_OUT);
        io->streams[i].id = io->id;
        io->streams[i].owner = io;
        io->streams[i].tty = config->terminal;
        io->streams[i].drained = on_drained;
        io->streams[i].ended = on_ended;
        io->given[i] = -1;
    }
    *ret = io;
    return 0;
}

static void freep(struct shim_io **io)
{
    shim_io_free(*io);
}

static int open_stdin(struct shim_io *io, const char *path, struct hcs_stream *ret,
                      struct shim_error *err)
{
    struct relay_stream *s = &io->streams[IN];
    int r;

    if (!*path)
        return 0;
    r = shim_source_open(path, &s->ends.source, err);
    if (r < 0)
        return shim_wrap(err, r, "stdin");
    s->fifo = true;
    s->loop = io->loop;
    ret->kind = HCS_STREAM_PIPE;
    return 0;
}

/* From here on the stream exists. Without a sink what the process writes is dropped. */
static void add_output(struct shim_io *io, struct relay_stream *s, const struct shim_sink *sink,
                       struct hcs_stream *ret)
{
    s->ends.sink = sink->fd;
    s->keep = sink->keep;
    s->fifo = sink->fifo;
    s->loop = sink->disk ? io->disk : io->loop;
    io->outputs++;
    ret->kind = HCS_STREAM_PIPE;
}

typedef int sink_opener(const char *path, struct shim_sink *ret, struct shim_error *err);

static int open_output(struct shim_io *io, int which, const char *path, sink_opener *open_sink,
                       struct hcs_stream *ret, struct shim_error *err)
{
    struct relay_stream *s = &io->streams[which];
    struct shim_sink sink;
    int r;

    if (!*path)
        return 0;
    r = open_sink(path, &sink, err);
    if (r < 0)
        return shim_wrap(err, r, "%s", s->name);
    if (sink.disk && !io->disk) {
        r = relay_disk_get(&io->disk, err);
        if (r < 0) {
            shim_fd_close(&sink.fd);
            return shim_wrap(err, r, "%s", s->name);
        }
    }
    add_output(io, s, &sink, ret);
    return 0;
}

static int open_outputs(struct shim_io *io, const char *out, const char *error, bool terminal,
                        sink_opener *open_sink, struct hcs_stdio *ret, struct shim_error *err)
{
    const struct shim_sink nowhere = {.fd = -1, .keep = -1};
    int r = open_output(io, OUT, out, open_sink, &ret->out, err);

    if (r == 0 && !terminal)
        r = open_output(io, ERR, error, open_sink, &ret->err, err);
    if (r == 0 && terminal && !*out)
        add_output(io, &io->streams[OUT], &nowhere, &ret->out);
    return r;
}

static int open_logger(struct shim_io *io, const struct shim_io_config *config,
                       const struct shim_stdio_uri *uri, struct hcs_stdio *ret,
                       struct shim_error *err)
{
    const struct shim_logger_config logger = {
        .path = uri->path,
        .args = (const char *const *)uri->args.v,
        .ns = config->ns,
        .id = config->id,
        .must_say_ready = uri->kind == SHIM_STDIO_BINARY_V2,
        .ready_ms = LOGGER_READY_MS,
        .drain_ms = LOGGER_DRAIN_MS,
        .term_ms = LOGGER_TERM_MS,
    };
    int r = shim_logger_start(&logger, &io->logger, &io->given[OUT], &io->given[ERR], err);

    if (r < 0)
        return r;
    if (config->terminal) {
        const struct shim_sink sink = {.fd = io->given[OUT], .keep = io->given[ERR]};

        io->given[OUT] = io->given[ERR] = -1;
        shim_fd_set_nonblocking(sink.fd);
        add_output(io, &io->streams[OUT], &sink, &ret->out);
        return 0;
    }
    ret->out = (struct hcs_stream){HCS_STREAM_HANDLE, io->given[OUT]};
    ret->err = (struct hcs_stream){HCS_STREAM_HANDLE, io->given[ERR]};
    return 0;
}

int shim_io_open(const struct shim_io_config *config, struct shim_io **ret,
                 struct hcs_stdio *ret_stdio, struct shim_error *err)
{
    SHIM_CLEANUP(freep) struct shim_io *io = NULL;
    cleanup_stdio_uri struct shim_stdio_uri uri = {0};
    struct hcs_stdio stdio = HCS_STDIO_INIT;
    const char *out = shim_stdio_path(config->stdout_path);
    const char *error = shim_stdio_path(config->stderr_path);
    int r;

    stdio.console = config->terminal;
    r = shim_stdio_uri_parse(config->stdout_path, &uri, err);
    if (r < 0)
        return r;
    r = io_new(config, &io, err);
    if (r < 0)
        return r;
    r = open_stdin(io, shim_stdio_path(config->stdin_path), &stdio.in, err);
    if (r < 0)
        return r;
    if (uri.kind == SHIM_STDIO_PATHS)
        r = open_outputs(io, out, error, config->terminal, shim_sink_open, &stdio, err);
    else if (uri.kind == SHIM_STDIO_FILE)
        r = open_outputs(io, uri.path, uri.path, config->terminal, shim_sink_open_log, &stdio, err);
    else
        r = open_logger(io, config, &uri, &stdio, err);
    if (r < 0)
        return r;
    *ret_stdio = stdio;
    *ret = shim_take(io);
    return 0;
}

static int begin_stream(struct relay_stream *s, struct round *round, struct shim_error *err)
{
    struct hcs_stdio *stdio = round->stdio;
    struct hcs_stream *const all[] = {&stdio->in, &stdio->out, &stdio->err};
    struct hcs_stream *from = all[s - round->io->streams];
    int fd = (int)from->handle;

    from->handle = SHIM_NO_HANDLE;
    if (fd < 0) {
        relay_stream_end(s);
        return shim_fail(err, SHIM_E_INTERNAL, "the provider made no pipe for %s", s->name);
    }
    return relay_stream_begin(s, fd, err);
}

static void close_given(struct shim_io *io)
{
    int given[N_STREAMS];

    shim_lock(&io->lock);
    for (int i = 0; i < N_STREAMS; i++) {
        given[i] = io->given[i];
        io->given[i] = -1;
    }
    shim_unlock(&io->lock);
    for (int i = 0; i < N_STREAMS; i++)
        shim_fd_close(&given[i]);
}

int shim_io_start(struct shim_io *io, struct hcs_stdio *stdio, struct shim_error *err)
{
    struct round round = {.io = io, .fn = begin_stream, .stdio = stdio, .err = err};
    int r;

    close_given(io);
    shim_lock(&io->lock);
    io->started = true;
    shim_unlock(&io->lock);
    r = run_round(&round);
    return r < 0 ? shim_wrap(err, r, "standard streams of %s", io->id) : 0;
}

static void drop_keep(void *user)
{
    struct relay_stream *s = user;

    s->closing = true;
    shim_fd_close(&s->keep);
}

void shim_io_close_stdin(struct shim_io *io)
{
    if (io->streams[IN].loop)
        post(io->loop, drop_keep, &io->streams[IN]);
}

static void drain_stream(void *user)
{
    relay_stream_drain(user);
}

void shim_io_exited(struct shim_io *io, void (*done)(void *user), void *user)
{
    unsigned drains = 0;

    for (int i = 0; i < N_STREAMS; i++)
        drains += io->streams[i].loop != NULL;
    shim_lock(&io->lock);
    io->done = done;
    io->done_user = user;
    io->done_due = true;
    io->drains = drains;
    shim_unlock(&io->lock);
    if (drains == 0)
        post(io->loop, call_done, io);
    for (int i = 0; i < N_STREAMS; i++)
        if (io->streams[i].loop)
            post(io->streams[i].loop, drain_stream, &io->streams[i]);
}

static void wait_for_outputs(struct shim_io *io, unsigned timeout_ms)
{
    int64_t deadline_ns = shim_monotonic_ns() + (int64_t)timeout_ms * SHIM_NS_PER_MS;
    bool in_time = timeout_ms > 0;
    unsigned left;

    shim_lock(&io->lock);
    while (io->started && io->outputs > 0 && in_time)
        in_time = shim_cond_wait_until(&io->cond, &io->lock, deadline_ns);
    left = io->started ? io->outputs : 0;
    shim_unlock(&io->lock);
    if (left > 0 && timeout_ms > 0)
        shim_log(SHIM_WARN, "io=%s: %u streams not over after %u ms, closing them", io->id, left,
                 timeout_ms);
}

static int end_stream(struct relay_stream *s, struct round *round, struct shim_error *err)
{
    (void)round;
    (void)err;
    relay_stream_end(s);
    return 0;
}

void shim_io_finish(struct shim_io *io, unsigned timeout_ms)
{
    struct round round = {.io = io, .fn = end_stream};
    struct shim_logger *logger;

    wait_for_outputs(io, timeout_ms);
    run_round(&round);
    close_given(io);
    shim_lock(&io->lock);
    logger = shim_take(io->logger);
    shim_unlock(&io->lock);
    shim_logger_stop(logger);
}

void shim_io_free(struct shim_io *io)
{
    if (!io)
        return;
    shim_io_finish(io, 0);
    shim_lock(&io->lock);
    while (io->done_due)
        shim_cond_wait(&io->cond, &io->lock);
    shim_unlock(&io->lock);
    if (io->disk)
        relay_disk_put();
    shim_cond_done(&io->cond);
    shim_mutex_done(&io->lock);
    free(io->id);
    free(io);
}

void shim_io_describe(struct shim_io *io, char *buf, size_t buf_bytes)
{
    size_t used = 0;
    bool logged;

    shim_lock(&io->lock);
    logged = io->logger != NULL;
    shim_unlock(&io->lock);
    for (int i = 0; i < N_STREAMS && used < buf_bytes; i++) {
        if (!io->streams[i].loop)
            continue;
        if (used > 0)
            used += (size_t)snprintf(buf + used, buf_bytes - used, "; ");
        if (used < buf_bytes)
            used += (size_t)relay_stream_describe(&io->streams[i], buf + used, buf_bytes - used);
    }
    if (used == 0)
        snprintf(buf, buf_bytes, "%s", logged ? "read by a logger" : "no streams");
}

void shim_io_finish_loggers(unsigned timeout_ms)
{
    shim_loggers_finish(timeout_ms);
}
