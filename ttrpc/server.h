/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ttrpc server over nng streams: any number of connections, any number of calls at once on each,
 * replies in any order. Requests are dispatched through protobuf-c's service descriptors.
 *
 * A service is a plain ProtobufCService. Its `invoke` is called on an nng thread and must not
 * block; it may answer there, or keep the call and answer later from any thread. The call is the
 * closure data: answered with the closure protobuf-c hands to the method, or with
 * ttrpc_call_fail(). Each call is to be answered exactly once, also when the peer is gone (the
 * answer is then dropped).
 *
 * Back-pressure: when a peer does not read its replies or has too many calls open, the server
 * stops reading from that connection; it never closes one for that, and never blocks a caller.
 *
 * Threads: any, for all functions.
 */
#pragma once
#include "ttrpc/ttrpc.h"
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct ttrpc_server; /* opaque */
struct ttrpc_call;   /* opaque: one request being worked on */

struct ttrpc_server_config {
    size_t max_queued_bytes; /* replies waiting on one connection; 0: 8 MiB */
    unsigned max_calls;      /* open on one connection; 0: 65536 */
    bool same_user_only;     /* refuse peers of another uid or gid (where the OS tells) */
};

SHIM_MUST_USE int ttrpc_server_new(const struct ttrpc_server_config *config,
                                   struct ttrpc_server **ret, struct shim_error *err);

/* Serves `service` under `name` (borrowed, both must outlive the server): one service may have
 * several names. Before listen. SHIM_E_INVALID for a method that takes a recursive message. */
SHIM_MUST_USE int ttrpc_server_add(struct ttrpc_server *s, const char *name,
                                   ProtobufCService *service, struct shim_error *err);

/* Binds and starts to accept. A unix socket gets mode 0600; a stale one is replaced. On success
 * connecting works at once. SHIM_E_EXISTS when another process serves the address; SHIM_E_STATE
 * when this server listens already. */
SHIM_MUST_USE int ttrpc_server_listen(struct ttrpc_server *s, const char *address,
                                      struct shim_error *err);

/* Stops accepting and reading, waits until every reply given so far has been sent (at most
 * timeout_ms), then closes the connections. Calls not answered yet stay valid until answered; who
 * asked to be told that they are gone has been told when this returns. Not from a callback. */
void ttrpc_server_close(struct ttrpc_server *s, unsigned timeout_ms);
/* After close. Waits until every call was answered: not from a callback. NULL is a no-op. */
void ttrpc_server_free(struct ttrpc_server *s);

/* --- calls ---------------------------------------------------------------------------------- */

/* Answers with a status. Frees the call. `code` is an enum shim_code; the message is borrowed.
 * Answering, in either way, waits for the call's `gone` if another thread is in it: so no lock that
 * `gone` takes may be held. */
void ttrpc_call_fail(struct ttrpc_call *call, int code, const char *message);

/* The request message, and the metadata, stay valid until the call is answered or this is called: a
 * call that is kept for long (Wait) holds no request memory. */
void ttrpc_call_release_request(struct ttrpc_call *call);

/* Lent until answered or released; NULL when the caller sent no such key. */
const char *ttrpc_call_metadata(const struct ttrpc_call *call, const char *key);

/* Monotonic deadline from timeout_nano, 0 when none. When it passes, the server answers
 * DeadlineExceeded by itself; the handler's own answer is then dropped. */
int64_t ttrpc_call_deadline_ns(const struct ttrpc_call *call);

/**
 * Asks to be told, once, when nobody waits for this call's answer any more (connection lost, or its
 * deadline passed). `gone` runs without locks, on an nng thread, or before this returns when it is
 * so already; never after the call was answered and that answering returned. It must not block; it
 * may answer. The call is still to be answered (that only frees it).
 */
void ttrpc_call_on_gone(struct ttrpc_call *call, void (*gone)(struct ttrpc_call *, void *user),
                        void *user);

/* Runs fn once, when this call's answer has left, or is dropped as nobody waits for it: for
 * Shutdown. On any thread that answers or on nng's; it must not block. Before answering. */
void ttrpc_call_on_sent(struct ttrpc_call *call, void (*sent)(void *user), void *user);
