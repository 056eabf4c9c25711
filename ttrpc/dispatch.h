/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a frame to a decision: which method of which service is called with which message, or why
 * not. Knows nothing of connections. Pure but for allocation. Threads: any.
 */
#pragma once
#include "ttrpc/envelope.h"

/* A service under one of its names; lent, linked by its owner. */
struct ttrpc_service {
    const struct ttrpc_service *next;
    const char *name;
    ProtobufCService *service;
};

enum ttrpc_verdict {
    TTRPC_IGNORE, /* neither run nor answered */
    TTRPC_REFUSE, /* to be answered with the error */
    TTRPC_INVOKE,
    TTRPC_STREAM_DATA, /* a Data frame: the answer depends on whether the stream is active */
};

struct ttrpc_invocation {
    ProtobufCService *service;
    unsigned method; /* index in the service's descriptor */
    ProtobufCMessage *message;
    Ttrpc__Request *request; /* the envelope, its payload taken out */
};
void ttrpc_invocation_done(struct ttrpc_invocation *invocation);

/**
 * @param last_id  the highest stream id that the connection has used, 0 at first; updated.
 * @param ret      filled in, and the caller's, for TTRPC_INVOKE only.
 * @param err      filled in for TTRPC_REFUSE, and for TTRPC_STREAM_DATA with what to answer when
 *                 no call has that id.
 */
enum ttrpc_verdict ttrpc_dispatch(const struct ttrpc_service *services, uint32_t *last_id,
                                  const struct ttrpc_frame *frame, struct ttrpc_invocation *ret,
                                  struct shim_error *err);
