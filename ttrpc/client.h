/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ttrpc client over one nng stream: any number of calls at once, deadlines, cancellation, one
 * notice when the connection is lost. Threads: any, for all functions.
 */
#pragma once
#include "ttrpc/ttrpc.h"
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct ttrpc_client; /* opaque */

/* Told once, on an nng thread, when the connection is lost (not by ttrpc_client_free). */
typedef void ttrpc_client_lost(void *user);

/* Connects. SHIM_E_NOT_FOUND no such socket, SHIM_E_UNAVAILABLE nobody serves it,
 * SHIM_E_DEADLINE. Blocks at most timeout_ms. */
SHIM_MUST_USE int ttrpc_client_connect(const char *address, unsigned timeout_ms,
                                       ttrpc_client_lost *lost, void *user,
                                       struct ttrpc_client **ret, struct shim_error *err);
/* Fails all open calls with SHIM_E_CANCELED, closes, and waits for callbacks under way. Not from a
 * callback. NULL is a no-op. */
void ttrpc_client_free(struct ttrpc_client *c);

struct ttrpc_call_options {
    const char *service; /* name to call under; NULL: the descriptor's own */
    int64_t timeout_ns;  /* 0: none. Sent along, and kept by the client too */
    const struct ttrpc_metadata *metadata;
    size_t n_metadata;
};

/**
 * Calls a method and waits for its answer.
 *
 * @param options  may be NULL.
 * @param ret      the answer, freed with protobuf_c_message_free_unpacked(m, NULL).
 * @return         0; the peer's status negated, with its message; SHIM_E_UNAVAILABLE when the
 *                 connection is lost ("ttrpc: closed"); SHIM_E_DEADLINE; SHIM_E_EXHAUSTED when the
 *                 request is over 4 MiB.
 * Blocks until answered: not from a callback.
 */
SHIM_MUST_USE int ttrpc_client_call(struct ttrpc_client *c,
                                    const ProtobufCServiceDescriptor *service, const char *method,
                                    const ProtobufCMessage *request,
                                    const struct ttrpc_call_options *options,
                                    ProtobufCMessage **ret, struct shim_error *err);

/* The same without waiting. `done` runs once, on an nng thread, and must not block; `answer` is
 * NULL on error and freed after it returns. *ret_id names the call for cancelling. */
typedef void ttrpc_client_done(const ProtobufCMessage *answer, const struct shim_error *err,
                               void *user);
SHIM_MUST_USE int ttrpc_client_start(struct ttrpc_client *c,
                                     const ProtobufCServiceDescriptor *service, const char *method,
                                     const ProtobufCMessage *request,
                                     const struct ttrpc_call_options *options,
                                     ttrpc_client_done *done, void *user, uint32_t *ret_id,
                                     struct shim_error *err);
/* Fails the call with SHIM_E_CANCELED unless it is done already. */
void ttrpc_client_cancel(struct ttrpc_client *c, uint32_t id);
