/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to frames and back: what is put around a service's message on the wire. No I/O.
 * Threads: any.
 */
#pragma once
#include "ttrpc/client.h"
#include "ttrpc/frame.h"
#include "ttrpc/ttrpc.pb-c.h"

/* A whole frame waiting to be sent; owned by whoever holds it. */
struct ttrpc_out {
    struct ttrpc_out *next;   /* the channel's */
    void (*sent)(void *user); /* may be NULL; told by the channel once it left or was dropped */
    void *user;
    size_t bytes;
    uint8_t data[];
};

/* Drops it and tells `sent`. NULL is a no-op. */
void ttrpc_out_drop(struct ttrpc_out *out);

/* An answer that is an error; NULL when out of memory. `code` is an enum shim_code. The message is
 * made valid UTF-8, as decoders insist on it, and cut when very long. */
struct ttrpc_out *ttrpc_out_status(uint32_t stream_id, int code, const char *message);

/* SHIM_E_EXHAUSTED: over the limit of a frame, or out of memory. Caller owns *ret. */
SHIM_MUST_USE int ttrpc_out_response(uint32_t stream_id, const ProtobufCMessage *message,
                                     struct ttrpc_out **ret, struct shim_error *err);

/* `method` of `service` with its request message; stream_id is written by ttrpc_out_set_stream. */
SHIM_MUST_USE int ttrpc_out_request(const char *service, const char *method,
                                    const ProtobufCMessage *request,
                                    const struct ttrpc_call_options *options,
                                    struct ttrpc_out **ret, struct shim_error *err);
void ttrpc_out_set_stream(struct ttrpc_out *out, uint32_t stream_id);

/**
 * Decodes a message of untrusted bytes with a bound on the memory it may take.
 *
 * @param ret  freed with protobuf_c_message_free_unpacked(m, NULL).
 * @return     0; SHIM_E_INVALID "malformed <message> of N bytes"; SHIM_E_EXHAUSTED out of memory,
 *             or far more of it needed than the bytes are worth.
 */
SHIM_MUST_USE int ttrpc_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                               size_t bytes, ProtobufCMessage **ret, struct shim_error *err);

/* Whether a message of this type can hold another of its type: then the depth of what is decoded
 * is the sender's choice, and protobuf-c decodes by recursion. */
bool ttrpc_is_recursive(const ProtobufCMessageDescriptor *descriptor);
