/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of a server: its open calls and their answers. Kept alive by its stream and by
 * each call that is not answered yet.
 *
 * Lock order: the connection's, then its channel's or the timers'. None is held while a service, a
 * `gone` or a `sent` runs. Threads: any.
 */
#pragma once
#include "ttrpc/channel.h"
#include "ttrpc/dispatch.h"
#include "ttrpc/server.h"
#include "ttrpc/timers.h"

struct ttrpc_connection; /* opaque */

struct ttrpc_connection_config { /* outlives the connection */
    const struct ttrpc_service *services;
    struct ttrpc_timers *timers;
    size_t max_queued_bytes;
    unsigned max_calls;
    /* The stream is gone and will not call any more. On an nng thread, without locks. */
    void (*lost)(struct ttrpc_connection *connection, void *user);
    /* The last call was answered, too; this config is not used any more. Any thread, no locks. */
    void (*freed)(void *user);
    void *user;
};

/* The caller gets a reference. `stream` is taken over, also on failure. */
SHIM_MUST_USE int ttrpc_connection_new(nng_stream *stream,
                                       const struct ttrpc_connection_config *config,
                                       struct ttrpc_connection **ret, struct shim_error *err);
/* Begins to serve; ended by `lost`. */
void ttrpc_connection_start(struct ttrpc_connection *connection);
void ttrpc_connection_ref(struct ttrpc_connection *connection);
void ttrpc_connection_unref(struct ttrpc_connection *connection);

/* Takes no more requests, and closes once the answers given so far have left. */
void ttrpc_connection_finish(struct ttrpc_connection *connection);
void ttrpc_connection_close(struct ttrpc_connection *connection);
