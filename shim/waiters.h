/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that wait for something to end (Wait, WaitSandbox): parked in a list without a thread and
 * without their message, answered when it ends, dropped when nobody waits for them any more.
 * Threads: any.
 */
#pragma once
#include "base/thread.h"
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct ttrpc_call;
struct shim_waiter; /* opaque: one call, and a list of calls that were taken */

/* Embedded in what is waited for; must live until its last waiter was answered. */
struct shim_waiters {
    struct shim_mutex *lock; /* the owner's: guards the list */
    /* NULL, or called after each waiter's end, with no lock held. */
    void (*ended)(struct shim_waiters *waiters);
    struct shim_waiter *first;
};

/* Takes the call over; its `reply` is the ttrpc closure. NULL: out of memory, and the call is still
 * the caller's. With no lock held. */
struct shim_waiter *shim_waiter_new(struct shim_waiters *waiters, struct ttrpc_call *call,
                                    ProtobufCClosure reply);
/* False when nobody waits for the call any more; it is then still to be answered. Once parked, the
 * waiter is no longer the caller's. */
bool shim_waiter_park_locked(struct shim_waiter *w);
/* All that are parked; to be answered once the lock is free. */
struct shim_waiter *shim_waiters_take_locked(struct shim_waiters *waiters);
/* Answers one that is not parked, or all that were taken, and frees them. NULL is a no-op. With no
 * lock held. */
void shim_waiters_answer(struct shim_waiter *taken, const ProtobufCMessage *answer);
