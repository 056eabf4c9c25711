/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of copying between two descriptors. Moves data and says what stopped it; when to try
 * again is decided by relay_stream. What was read and could not be written yet is kept, and nothing
 * is allocated otherwise. Threads: one at a time; `bytes` from any.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum relay_moved {
    RELAY_MOVED,   /* something; there may be more */
    RELAY_EMPTY,   /* the source has nothing now */
    RELAY_FULL,    /* the sink takes nothing now */
    RELAY_STUCK,   /* one of these two, and the kernel does not say which */
    RELAY_END,     /* the source has ended; `os` says why where that was an error */
    RELAY_HUNG_UP, /* a terminal's other side is closed by all; it may be opened again */
    RELAY_GONE,    /* nobody will ever read what the sink gets */
    RELAY_FAILED,  /* the sink refused for reason `os`; nothing is lost, try again later */
};

struct relay_ends {
    int source;
    int sink;    /* -1: what comes is dropped */
    bool splice; /* both are pipes or FIFOs */
    uint8_t *held;
    size_t held_from, held_to;
    atomic_uint_fast64_t bytes; /* copied so far */
    int os;                     /* errno */
};

/* One read at most. Blocks only where the sink does (a disk). */
enum relay_moved relay_move(struct relay_ends *e);
void relay_drop_held(struct relay_ends *e);
