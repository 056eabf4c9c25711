/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to one shim and the task service's calls on it, as containerd makes them. Threads:
 * any, for all functions.
 */
#pragma once
#include "base/error.h"
#include "shim/ctl/launch.h"
#include "shim/ctl/start_output.h"
#include "shim/proto/task.pb-c.h"
#include "ttrpc/client.h"
#include <stdbool.h>

struct ctl;
struct ctl_client; /* opaque */

/* Connects; where the version is not 2, asks the shim which of the two services it has. */
SHIM_MUST_USE int ctl_client_connect(const struct ctl *c, const struct ctl_endpoint *endpoint,
                                     struct ctl_client **ret, struct shim_error *err);
/* To the shim of container `id`: --address, else what its bundle says. SHIM_E_NOT_FOUND: there is
 * no such container; SHIM_E_UNAVAILABLE: its shim does not answer (any more). */
SHIM_MUST_USE int ctl_client_open(const struct ctl *c, const char *id, struct ctl_client **ret,
                                  struct shim_error *err);
void ctl_client_free(struct ctl_client *c); /* NULL is a no-op */
static inline void ctl_client_freep(struct ctl_client **c)
{
    ctl_client_free(*c);
}
#define cleanup_client SHIM_CLEANUP(ctl_client_freep)

/**
 * Calls a method of the task service; says so on standard error when it takes longer than a second.
 *
 * @param timeout_ms  0: none.
 * @param ret         as for ttrpc_client_call; NULL: the answer is not wanted.
 */
SHIM_MUST_USE int ctl_call(struct ctl_client *c, const char *method,
                           const ProtobufCMessage *request, unsigned timeout_ms,
                           ProtobufCMessage **ret, struct shim_error *err);
/* Starts a call, as ttrpc_client_start; `done` and `ret_id` may be NULL. */
SHIM_MUST_USE int ctl_call_start(struct ctl_client *c, const char *method,
                                 const ProtobufCMessage *request, ttrpc_client_done *done,
                                 void *user, uint32_t *ret_id, struct shim_error *err);
/* `done` comes, with SHIM_E_CANCELED unless the answer is there already. */
void ctl_call_cancel(struct ctl_client *c, uint32_t call_id);

/* Waits until the connection is lost; false after timeout_ms. */
bool ctl_client_wait_lost(struct ctl_client *c, unsigned timeout_ms);

/* protobuf-c's strings are not const, though nothing writes to a request's. */
static inline char *ctl_lend(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* An answer, freed when it goes out of scope. */
static inline void ctl_answer_freep(ProtobufCMessage **m)
{
    if (*m)
        protobuf_c_message_free_unpacked(*m, NULL);
}
#define cleanup_answer SHIM_CLEANUP(ctl_answer_freep)

/* --- calls that several commands make ------------------------------------------------------- */

/* `exec_id` "" for init in all of them. */
SHIM_MUST_USE int ctl_call_delete(struct ctl_client *c, const char *id, const char *exec_id,
                                  unsigned timeout_ms, struct ctl_exit *ret,
                                  struct shim_error *err);
SHIM_MUST_USE int ctl_call_kill(struct ctl_client *c, const char *id, const char *exec_id,
                                uint32_t signal, bool all, struct shim_error *err);
SHIM_MUST_USE int ctl_call_wait(struct ctl_client *c, const char *id, const char *exec_id,
                                struct ctl_exit *ret, struct shim_error *err);
SHIM_MUST_USE int ctl_call_shutdown(struct ctl_client *c, const char *id, struct shim_error *err);
/* The answer is freed with protobuf_c_message_free_unpacked. */
SHIM_MUST_USE int ctl_call_state(struct ctl_client *c, const char *id, const char *exec_id,
                                 Task__StateResponse **ret, struct shim_error *err);
