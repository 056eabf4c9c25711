/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in and out over one nng stream: buffers, back-pressure, the end of the connection. Server
 * and client both stand on it. Nothing here blocks. `sent` of a frame can run in any thread that
 * sends, the other callbacks run on nng's.
 */
#pragma once
#include "ttrpc/envelope.h"
#include <nng/nng.h>

struct ttrpc_channel; /* opaque */

/* All run on nng threads, without locks, one at a time. */
struct ttrpc_channel_ops {
    void (*frame)(void *user, const struct ttrpc_frame *frame);
    /* A frame too long to be taken was skipped: its header's fields (no data), and why. */
    void (*skipped)(void *user, const struct ttrpc_frame *frame, const struct shim_error *why);
    /* The peer has stopped writing but still reads: nothing more will come. */
    void (*half_closed)(void *user);
    /* The connection is gone; the last callback. The channel may be freed in it, or later. */
    void (*lost)(void *user);
};

/**
 * @param stream            taken over, also on failure.
 * @param max_queued_bytes  with more than this waiting to be sent, no more frames are taken in
 *                          until half of it has left. Frames to be sent are always accepted.
 */
SHIM_MUST_USE int ttrpc_channel_new(nng_stream *stream, const struct ttrpc_channel_ops *ops,
                                    void *user, size_t max_queued_bytes, struct ttrpc_channel **ret,
                                    struct shim_error *err);
/* Begins to read: callbacks can come before this returns, and `lost` (out of memory, or closed
 * meanwhile) in this very thread. To be ended by `lost`. */
void ttrpc_channel_start(struct ttrpc_channel *ch);
/* After `lost`, or when never started. NULL is a no-op. */
void ttrpc_channel_free(struct ttrpc_channel *ch);

/* Queues a frame; takes it over. Dropped when the connection is closed. NULL (out of memory for
 * what had to be said) closes the connection. */
void ttrpc_channel_send(struct ttrpc_channel *ch, struct ttrpc_out *out);
/* Stops taking frames in, or goes on. */
void ttrpc_channel_hold(struct ttrpc_channel *ch, bool hold);
/* Reads no more, and closes once all that is queued has left. */
void ttrpc_channel_finish(struct ttrpc_channel *ch);
/* Closes; `lost` follows soon. */
void ttrpc_channel_close(struct ttrpc_channel *ch);
