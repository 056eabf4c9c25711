/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream of one process, copied in one direction on its loop's thread. Level-triggered: it
 * watches its source while the sink accepts and its sink while not, so a stuck reader costs nothing
 * and stalls nobody else. Embedded by shim_io.
 *
 * Life: relay_stream_init, [relay_stream_begin], [relay_stream_drain], relay_stream_end; drain may
 * come before begin, because a process may end before its start has returned.
 */
#pragma once
#include "base/error.h"
#include "base/posix/loop.h"
#include "shim/posix/relay_move.h"
#include <stdatomic.h>
#include <stdbool.h>

enum relay_direction {
    RELAY_IN,  /* FIFO → process: `keep` is a writer of the source, once a client was there */
    RELAY_OUT, /* process → client: `keep` is a reader of the sink, or just closed with it */
};

enum relay_state {
    RELAY_OFF,    /* not begun */
    RELAY_SOURCE, /* waiting for the source */
    RELAY_SINK,   /* waiting for the sink */
    RELAY_PAUSED, /* trying again by a timer */
    RELAY_READER, /* all is in the FIFO, nobody has opened it: waiting for a reader, by a timer */
    RELAY_ENDED,
};

struct relay_stream {
    const char *name; /* "stdin" …, for messages */
    const char *id;   /* borrowed, for messages */
    enum relay_direction direction;
    struct shim_loop *loop; /* NULL: there is no such stream */
    struct relay_ends ends;
    int keep;
    bool closing; /* RELAY_IN: CloseIO has come, clients' end of file counts */
    bool fifo;    /* the client's side is a FIFO */
    bool tty;     /* the process's side is a terminal's master */
    void *owner;

    /* Called once each, on the loop's thread. */
    void (*drained)(struct relay_stream *s); /* only after relay_stream_drain */
    void (*ended)(struct relay_stream *s);   /* every descriptor is closed */

    /* The loop thread's own. */
    bool exited, drain_due, complained;
    unsigned pause_ms;
    struct shim_watch source_watch, sink_watch;
    struct shim_timer timer;
    _Atomic(enum relay_state) state; /* read by relay_stream_describe */
};

/* Sets the descriptors to -1; the caller fills in the rest. */
void relay_stream_init(struct relay_stream *s, const char *name, enum relay_direction direction);

/* All on the loop's thread. */

/* Takes the process's end (also on failure and when the stream is over already) and copies. */
SHIM_MUST_USE int relay_stream_begin(struct relay_stream *s, int process_fd,
                                     struct shim_error *err);
/* The process has ended: stdin ends, an output takes what is there, then drained() is called. */
void relay_stream_drain(struct relay_stream *s);
/* Takes what can be had without waiting, then closes everything. Twice is fine. */
void relay_stream_end(struct relay_stream *s);

/* Appends e.g. "stdout: copying, 12 bytes"; returns what snprintf does. Threads: any. */
int relay_stream_describe(struct relay_stream *s, char *buf, size_t buf_bytes);
