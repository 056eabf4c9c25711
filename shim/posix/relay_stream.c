/* SPDX-License-Identifier: Apache-2.0 */
/* Decides, after each step of copying, what a stream waits for next and when it is over. */
#include "shim/posix/relay_stream.h"
#include "base/log.h"
#include "shim/posix/fifo.h"
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#define PAUSE_FIRST_MS  10
#define PAUSE_LAST_MS   100
#define PAUSE_FAILED_MS 1000
#define DRAIN_STEPS     64 /* more than the largest pipe holds; a busy grandchild never stops it */

static void step(struct relay_stream *s);
static void look_for_reader(struct relay_stream *s);

void relay_stream_init(struct relay_stream *s, const char *name, enum relay_direction direction)
{
    *s = (struct relay_stream){
        .name = name,
        .direction = direction,
        .ends = {.source = -1, .sink = -1},
        .keep = -1,
        .source_watch = {.fd = -1},
        .sink_watch = {.fd = -1},
    };
}

static void complain(struct relay_stream *s, const char *what, int os, const char *next)
{
    char text[128];

    if (s->complained)
        return;
    s->complained = true;
    shim_log(SHIM_WARN, "io=%s: %s: %s: %s, %s", s->id, s->name, what,
             shim_os_text((uint32_t)os, text, sizeof(text)), next);
}

static void report_drained(struct relay_stream *s)
{
    if (!s->drain_due)
        return;
    s->drain_due = false;
    s->drained(s);
}

static void finish(struct relay_stream *s)
{
    if (s->state == RELAY_ENDED)
        return;
    shim_watch_remove(&s->source_watch);
    shim_watch_remove(&s->sink_watch);
    shim_timer_clear(&s->timer);
    relay_drop_held(&s->ends);
    shim_fd_close(&s->ends.source);
    shim_fd_close(&s->ends.sink);
    shim_fd_close(&s->keep);
    s->state = RELAY_ENDED;
    report_drained(s);
    s->ended(s);
}

static void on_timer(struct shim_timer *t)
{
    struct relay_stream *s = shim_container_of(t, struct relay_stream, timer);

    if (s->state == RELAY_READER)
        look_for_reader(s);
    else
        step(s);
}

/* A FIFO without a writer is silent until its first one comes: only from then on does it take one
 * of ours to keep stdin open, so that a CloseIO before that leaves the first client its say. */
static void on_source(struct shim_watch *w, uint32_t events)
{
    struct relay_stream *s = shim_container_of(w, struct relay_stream, source_watch);

    (void)events;
    if (s->direction == RELAY_IN && s->keep < 0 && !s->closing)
        s->keep = shim_source_keep(s->ends.source);
    step(s);
}

static void on_sink(struct shim_watch *w, uint32_t events)
{
    struct relay_stream *s = shim_container_of(w, struct relay_stream, sink_watch);

    if (s->direction == RELAY_IN && (events & EPOLLERR))
        finish(s); /* the process has closed its stdin */
    else
        step(s);
}

/* What to hear of the sink: room when waiting for it, and a process that closes its stdin. */
static uint32_t sink_events(const struct relay_stream *s, enum relay_state state)
{
    if (state == RELAY_SINK)
        return EPOLLOUT;
    return s->direction == RELAY_IN && s->ends.splice ? EPOLLERR : 0;
}

static bool watch_sink(struct relay_stream *s, uint32_t events)
{
    struct shim_error err;

    if (s->sink_watch.fd >= 0) {
        if (s->sink_watch.events != events)
            shim_watch_set(&s->sink_watch, events);
        return true;
    }
    if (!events ||
        shim_watch_add(s->loop, &s->sink_watch, s->ends.sink, events, on_sink, &err) >= 0)
        return true;
    complain(s, "watch the sink", (int)err.os, "trying again");
    return false;
}

static void watch_source(struct relay_stream *s, uint32_t events)
{
    if (s->source_watch.fd >= 0)
        shim_watch_set(&s->source_watch, events);
}

static void pause_stream(struct relay_stream *s, enum relay_state state, unsigned ms)
{
    watch_source(s, 0);
    watch_sink(s, 0);
    s->state = state;
    shim_timer_set(s->loop, &s->timer, ms, on_timer);
}

static void pause_growing(struct relay_stream *s, enum relay_state state)
{
    s->pause_ms = s->pause_ms ? s->pause_ms * 2 : PAUSE_FIRST_MS;
    if (s->pause_ms > PAUSE_LAST_MS)
        s->pause_ms = PAUSE_LAST_MS;
    pause_stream(s, state, s->pause_ms);
}

static void wait_for(struct relay_stream *s, enum relay_state state)
{
    if (s->state == state)
        return;
    if (!watch_sink(s, sink_events(s, state))) {
        pause_stream(s, RELAY_PAUSED, PAUSE_FAILED_MS);
        return;
    }
    shim_timer_clear(&s->timer);
    watch_source(s, state == RELAY_SOURCE ? EPOLLIN : 0);
    s->state = state;
}

/* Once a client has the FIFO open it will find end of file there; before, our writer is what keeps
 * the data and lets its open succeed. */
static void look_for_reader(struct relay_stream *s)
{
    if (shim_fifo_has_reader(s->ends.sink))
        finish(s);
    else
        pause_growing(s, RELAY_READER);
}

static void source_ended(struct relay_stream *s)
{
    if (s->ends.os)
        complain(s, "read", s->ends.os, "taken as its end");
    if (s->direction == RELAY_IN || !s->fifo || s->ends.sink < 0) {
        finish(s);
        return;
    }
    shim_watch_remove(&s->source_watch);
    shim_fd_close(&s->ends.source);
    shim_fd_close(&s->keep);
    s->pause_ms = 0;
    look_for_reader(s);
    if (s->state != RELAY_ENDED)
        report_drained(s);
}

/* The process must not block or die because its log's reader did. */
static void sink_gone(struct relay_stream *s)
{
    if (s->direction == RELAY_IN) {
        finish(s);
        return;
    }
    complain(s, "write", EPIPE, "its output is dropped from now on");
    shim_watch_remove(&s->sink_watch);
    relay_drop_held(&s->ends);
    shim_fd_close(&s->ends.sink);
    wait_for(s, RELAY_SOURCE);
}

static void source_empty(struct relay_stream *s)
{
    if (s->tty && s->exited)
        source_ended(s); /* a terminal ends with its process, even if others still have it open */
    else
        wait_for(s, RELAY_SOURCE);
}

static void source_hung_up(struct relay_stream *s)
{
    if (s->tty && !s->exited)
        pause_growing(s, RELAY_PAUSED);
    else
        source_ended(s);
}

static void react(struct relay_stream *s, enum relay_moved moved)
{
    switch (moved) {
    case RELAY_MOVED:
        s->pause_ms = 0;
        if (s->state == RELAY_PAUSED)
            wait_for(s, RELAY_SOURCE);
        break;
    case RELAY_EMPTY:
        source_empty(s);
        break;
    case RELAY_FULL:
        wait_for(s, RELAY_SINK);
        break;
    case RELAY_STUCK:
        wait_for(s, s->state == RELAY_SOURCE ? RELAY_SINK : RELAY_SOURCE);
        break;
    case RELAY_END:
        source_ended(s);
        break;
    case RELAY_HUNG_UP:
        source_hung_up(s);
        break;
    case RELAY_GONE:
        sink_gone(s);
        break;
    case RELAY_FAILED:
        complain(s, "write", s->ends.os, "trying again");
        s->ends.os = 0;
        pause_stream(s, RELAY_PAUSED, PAUSE_FAILED_MS);
        break;
    }
}

static void step(struct relay_stream *s)
{
    react(s, relay_move(&s->ends));
}

int relay_stream_begin(struct relay_stream *s, int process_fd, struct shim_error *err)
{
    int r;

    if (s->state == RELAY_ENDED) {
        shim_fd_close(&process_fd);
        return 0;
    }
    shim_fd_set_nonblocking(process_fd);
    *(s->direction == RELAY_IN ? &s->ends.sink : &s->ends.source) = process_fd;
    s->ends.splice = shim_fd_is_pipe(s->ends.source) && shim_fd_is_pipe(s->ends.sink);
    r = shim_watch_add(s->loop, &s->source_watch, s->ends.source, EPOLLIN, on_source, err);
    if (r < 0) {
        finish(s);
        return shim_wrap(err, r, "watch %s", s->name);
    }
    s->state = RELAY_SOURCE;
    if (!watch_sink(s, sink_events(s, RELAY_SOURCE)))
        pause_stream(s, RELAY_PAUSED, PAUSE_FAILED_MS);
    if (s->drain_due)
        relay_stream_drain(s);
    return 0;
}

/* Moves on until something stops it. The watches stay as they are, unless that was the end: they
 * are level-triggered and will tell. */
static void take_what_is_there(struct relay_stream *s)
{
    enum relay_moved moved = RELAY_MOVED;

    if (s->state == RELAY_OFF || s->state == RELAY_READER || s->state == RELAY_ENDED)
        return;
    for (int i = 0; i < DRAIN_STEPS && moved == RELAY_MOVED; i++)
        moved = relay_move(&s->ends);
    if (moved != RELAY_STUCK)
        react(s, moved);
}

void relay_stream_drain(struct relay_stream *s)
{
    s->exited = true;
    s->drain_due = true;
    if (s->state == RELAY_OFF && s->direction == RELAY_OUT)
        return; /* begin comes back here */
    if (s->direction == RELAY_IN)
        finish(s);
    else
        take_what_is_there(s);
    report_drained(s);
}

void relay_stream_end(struct relay_stream *s)
{
    if (s->direction == RELAY_OUT)
        take_what_is_there(s);
    finish(s);
}

int relay_stream_describe(struct relay_stream *s, char *buf, size_t buf_bytes)
{
    static const char *const words[] = {
        [RELAY_OFF] = "not started",
        [RELAY_SOURCE] = "waiting for data",
        [RELAY_SINK] = "waiting for room",
        [RELAY_PAUSED] = "trying again soon",
        [RELAY_READER] = "waiting for a reader",
        [RELAY_ENDED] = "ended",
    };

    return snprintf(buf, buf_bytes, "%s: %s, %llu bytes", s->name, words[atomic_load(&s->state)],
                    (unsigned long long)atomic_load(&s->ends.bytes));
}
