/* SPDX-License-Identifier: Apache-2.0 */
/* Moves data with splice between pipes, with read and write elsewhere. */
#include "shim/posix/relay_move.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SPLICE_BYTES ((size_t)64 * 1024) /* a whole pipe of the usual size */
#define COPY_BYTES   ((size_t)16 * 1024)

void relay_drop_held(struct relay_ends *e)
{
    free(e->held);
    e->held = NULL;
}

static enum relay_moved write_held(struct relay_ends *e)
{
    while (e->held_from < e->held_to) {
        ssize_t n = write(e->sink, e->held + e->held_from, e->held_to - e->held_from);

        if (n >= 0) {
            e->held_from += (size_t)n;
            e->bytes += (uint64_t)n;
        } else if (errno == EAGAIN) {
            return RELAY_FULL;
        } else if (errno == EPIPE) {
            return RELAY_GONE;
        } else if (errno != EINTR) {
            e->os = errno;
            return RELAY_FAILED;
        }
    }
    relay_drop_held(e);
    return RELAY_MOVED;
}

static enum relay_moved read_stopped(struct relay_ends *e, ssize_t n)
{
    if (n == 0)
        return RELAY_END;
    if (errno == EAGAIN)
        return RELAY_EMPTY;
    if (errno == EIO)
        return RELAY_HUNG_UP;
    e->os = errno;
    return RELAY_END;
}

/* The buffer comes before the read, so that running out of memory loses nothing. */
static enum relay_moved copy(struct relay_ends *e)
{
    ssize_t n;

    e->held = malloc(COPY_BYTES);
    if (!e->held) {
        e->os = ENOMEM;
        return RELAY_FAILED;
    }
    do {
        n = read(e->source, e->held, COPY_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        enum relay_moved why = read_stopped(e, n);

        relay_drop_held(e);
        return why;
    }
    if (e->sink < 0) {
        relay_drop_held(e);
        return RELAY_MOVED;
    }
    e->held_from = 0;
    e->held_to = (size_t)n;
    return write_held(e);
}

static enum relay_moved splice_once(struct relay_ends *e)
{
    ssize_t n;

    do {
        n = splice(e->source, NULL, e->sink, NULL, SPLICE_BYTES, SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        e->bytes += (uint64_t)n;
        return RELAY_MOVED;
    }
    if (n == 0)
        return RELAY_END;
    if (errno == EAGAIN)
        return RELAY_STUCK;
    if (errno == EPIPE)
        return RELAY_GONE;
    e->os = errno;
    return RELAY_FAILED;
}

enum relay_moved relay_move(struct relay_ends *e)
{
    if (e->held)
        return write_held(e);
    if (e->splice && e->sink >= 0)
        return splice_once(e);
    return copy(e);
}
